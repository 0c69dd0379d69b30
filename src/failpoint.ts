/**
 * Places at which a test may end this process, as a crash would, without asking anybody.
 *
 * `KUBE_FANOUT_FAILPOINT=journal.committed:3` ends it by SIGKILL the third time it comes there. Without that variable a
 * call is an empty function, which V8 inlines to nothing. Each name stands in the code exactly once; a test holds that.
 */
export const FAILPOINTS = [
  // A start, in its order.
  'journal.creating',
  'journal.opened',
  'daemon.routes-made',
  'route.opened',
  'source.started',
  // What the source reads, on its way into the journal.
  'source.probed',
  'source.watch-opened',
  'source.lines-read',
  'source.watch-ended',
  'source.page-read',
  'source.first-page-read',
  'source.gap-found',
  'source.expired',
  'source.appending',
  'source.appending-page',
  'source.appended',
  'source.appended-page',
  // The journal's commits.
  'journal.committing',
  'journal.written',
  'journal.committed',
  'journal.acknowledged',
  'journal.retained',
  'journal.expiring',
  // A route and its broker.
  'route.read',
  'route.publishing',
  'route.acknowledged',
  'route.settling',
  'route.settled',
  'route.parked',
  'route.lane-loaded',
  'route.lost-connection',
  'route.connected',
  // An end, in its order.
  'daemon.stopping',
  'route.ended',
  'journal.closing',
  'journal.closed',
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

function armed(spec: string): (name: Failpoint) => void {
  const [wanted = '', times = '1'] = spec.split(':');
  if (!FAILPOINTS.some((name) => name === wanted)) throw new Error(`there is no failpoint ${wanted}`);
  let left = Number(times);
  return (name) => {
    if (name !== wanted) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}

const spec = process.env.KUBE_FANOUT_FAILPOINT;

/** Ends the process here, if that is what a test has asked for; otherwise it does nothing. */
export const failpoint: (name: Failpoint) => void = spec === undefined ? () => {} : armed(spec);
