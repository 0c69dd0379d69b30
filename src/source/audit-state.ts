/** What the audit's side of the step function speaks of; state.ts has the other two sides. */
import type { ResourceVersion } from '../envelope/position.ts';
import type { LookUp, NewRecord } from '../journal/record.ts';
import type { Page } from './page.ts';

/** How far an audit has come. None of it is durable: after a crash another audit begins, and finds the same again. */
export interface AuditRun {
  /** The watermark when it began: what stands above is the watch's business. */
  readonly upTo: ResourceVersion;
  /** The page to be fetched next; undefined for the first one. */
  readonly token: string | undefined;
  /** Found, and not yet delivered: they wait for each other, so that they come in order and in one epoch. */
  readonly missed: readonly NewRecord[];
  /** Revisions at or below `upTo` that it has asked the journal for. */
  readonly looked: number;
  readonly found: number;
  /** In a row. */
  readonly failures: number;
}

export type Audit =
  /** Until its timer says that it is time. */
  | { readonly phase: 'resting' }
  /** It begins as soon as the stream is watched and no list is under way. */
  | { readonly phase: 'due' }
  | { readonly phase: 'fetching' | 'pausing'; readonly run: AuditRun }
  /** Of a page: whether the journal has had these; `run.token` is that of the page behind it, if there is one. */
  | {
      readonly phase: 'asking';
      readonly run: AuditRun;
      readonly asked: readonly NewRecord[];
      /** At which the API server stood when it gave the page. */
      readonly rv: ResourceVersion;
    };

export type AuditInput =
  /** It is time, or the API server is back after it was away for long. */
  | { readonly kind: 'audit-due' }
  | { readonly kind: 'audit-page'; readonly page: Page }
  /** What the journal knows of each revision that it was asked for. */
  | { readonly kind: 'audit-told'; readonly lookUps: readonly LookUp[] }
  | { readonly kind: 'audit-expired'; readonly token: string | undefined }
  | { readonly kind: 'audit-failed'; readonly afterMs?: number | undefined }
  /** The pause between two pages, or after a failure, is over. */
  | { readonly kind: 'audit-next' };

export type AuditEffect =
  | { readonly kind: 'audit-rest' }
  | { readonly kind: 'audit-page'; readonly token: string | undefined }
  | { readonly kind: 'audit-ask'; readonly records: readonly NewRecord[] }
  | { readonly kind: 'audit-pause' }
  /** `ms` before jitter. */
  | { readonly kind: 'audit-wait'; readonly ms: number }
  | { readonly kind: 'stop-audit' }
  /** To be told to people: these are being delivered, or everything is, since the cluster was restored. */
  | { readonly kind: 'audit-found'; readonly what: 'missed' | 'restored'; readonly count: number }
  | { readonly kind: 'audit-ended'; readonly looked: number; readonly found: number };

const KINDS: { readonly [Kind in (AuditInput | AuditEffect)['kind']]: true } = {
  'audit-due': true,
  'audit-page': true,
  'audit-told': true,
  'audit-expired': true,
  'audit-failed': true,
  'audit-next': true,
  'audit-rest': true,
  'audit-ask': true,
  'audit-pause': true,
  'audit-wait': true,
  'stop-audit': true,
  'audit-found': true,
  'audit-ended': true,
};

/** Tells this side's inputs and effects from the others'. */
export function isOfAudit<Of extends { readonly kind: string }>(
  of: Of,
): of is Extract<Of, { readonly kind: keyof typeof KINDS }> {
  return Object.hasOwn(KINDS, of.kind);
}
