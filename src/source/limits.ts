/** How long the source waits for what, and how much it takes at once. */
export interface Limits {
  /** How long a watch is asked to last, before jitter: well below the five minutes of history that etcd keeps. */
  readonly watchSeconds: number;
  /** A clean end before it says that the watch may never have begun. */
  readonly atOnceMs: number;
  /** How long a watch may be silent beyond its own end before its socket counts as dead. */
  readonly graceMs: number;
  /** How long a watch may be left unread. */
  readonly unreadMs: number;
  /** Events on one page of a list, unless they are so large that fewer must do. */
  readonly pageEvents: number;
  /** How long an audit rests after the one before, give or take a fifth. */
  readonly auditEveryMs: number;
  /** An API server that was away for longer is audited as soon as it is back. */
  readonly auditAfterOutageMs: number;
  /** Between two pages of an audit, so that it costs the API server little. */
  readonly auditPauseMs: number;
  /** What every wait after a failure is multiplied by: 1, but in a test that cannot wait. */
  readonly waits: number;
}

export const LIMITS: Limits = {
  watchSeconds: 120,
  atOnceMs: 2_000,
  graceMs: 7_000,
  unreadMs: 5_000,
  pageEvents: 500,
  auditEveryMs: 30 * 60_000,
  auditAfterOutageMs: 30_000,
  auditPauseMs: 250,
  waits: 1,
};
