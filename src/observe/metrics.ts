import { Counter, Gauge, Registry } from '@prometheus-io/client';
import { REASONS } from '../adapter.ts';
import type { JournalStats } from '../journal/port.ts';
import type { RouteState } from '../journal/record.ts';

/** What a scrape is made of: read when it comes, not kept beside. */
export interface Observed {
  readonly routes: readonly (RouteState & {
    readonly up: boolean;
    /** Why each of the destinations and keys whose messages are parked is. */
    readonly parked: readonly string[];
  })[];
  readonly streams: readonly {
    readonly stream: string;
    readonly up: boolean;
    readonly records: number;
    readonly skipped: number;
    readonly damaged: number;
    readonly gaps: number;
    readonly audits: number;
    readonly found: number;
    /** Seconds since 1970; undefined before the first audit has ended. */
    readonly lastAudit: number | undefined;
  }[];
  readonly journal: JournalStats;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * The counters of the promise: for each route read = delivered + filtered + limited + dead + expired + pending, at every
 * scrape. They are columns of the route's row in the journal, so they survive a restart, and Prometheus sees them as
 * counters because each is set to what the row says.
 */
export async function metricsText(observed: Observed): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const perRoute = { labelNames: ['route'], registers } as const;
  const perStream = { labelNames: ['stream'], registers } as const;

  for (const name of ['read', 'delivered', 'filtered', 'limited', 'dead', 'expired'] as const) {
    const help = `Records of the route: ${name}. read = delivered + filtered + limited + dead + expired + pending.`;
    const counter = new Counter({ name: `kube_fanout_route_${name}_total`, help, ...perRoute });
    for (const { route, counters } of observed.routes) counter.inc({ route }, counters[name]);
  }
  const gauge = (name: string, help: string, value: (route: Observed['routes'][number]) => number) => {
    const made = new Gauge({ name: `kube_fanout_route_${name}`, help, ...perRoute });
    for (const route of observed.routes) made.set({ route: route.route }, value(route));
  };
  gauge('pending', 'Parked messages of the route that are still to be delivered.', ({ pending }) => pending);
  gauge('lag_records', "Records between the route's cursor and the newest one.", ({ lag }) => lag);
  gauge('up', '1 while the route is connected to its broker.', ({ up }) => Number(up));
  gauge('held', 'Destinations and keys of the route whose messages are parked.', ({ parked }) => parked.length);
  gauge('dead_letters', 'Dead letters of the route that are there now.', ({ deadLetters }) => deadLetters);
  const lagSeconds = ({ waitingSince }: Observed['routes'][number]) => secondsSince(waitingSince, observed.now);
  gauge('lag_seconds', 'Age of the first record that the cursor has not passed.', lagSeconds);
  held(observed.routes, registers);
  dropped(observed.routes, registers);

  const streams = (name: string, help: string, value: (stream: Observed['streams'][number]) => number) => {
    const made = new Counter({ name: `kube_fanout_stream_${name}_total`, help, ...perStream });
    for (const stream of observed.streams) made.inc({ stream: stream.stream }, value(stream));
  };
  streams('records', 'Records read from the API server and appended since the start.', ({ records }) => records);
  streams('skipped_items', 'Items of a list that were no Event, since the start.', ({ skipped }) => skipped);
  streams('damaged_lines', 'Lines of a watch that were none and were asked again, since the start.', (s) => s.damaged);
  streams('gaps', 'Gaps found since the start: what the API server could not give any more.', ({ gaps }) => gaps);
  streams('audits', 'Audits since the start: the Events compared with the journal.', ({ audits }) => audits);
  streams('audit_found', 'Events found by audits since the start: no watch had told of them.', ({ found }) => found);
  const lastAudit = new Gauge({
    name: 'kube_fanout_stream_last_audit_timestamp_seconds',
    help: 'When the last audit ended.',
    ...perStream,
  });
  for (const { stream, lastAudit: at } of observed.streams) if (at !== undefined) lastAudit.set({ stream }, at);
  const up = new Gauge({ name: 'kube_fanout_stream_up', help: '1 while the stream is being watched.', ...perStream });
  for (const stream of observed.streams) up.set({ stream: stream.stream }, Number(stream.up));

  const journal = {
    records: observed.journal.records,
    bytes: observed.journal.bytes,
    quota_bytes: observed.journal.quotaBytes,
    dead_letters: observed.journal.deadLetters,
    max_dead_letters: observed.journal.maxDeadLetters,
    reserve_used: Number(observed.journal.disk === 'reserve-used'),
  };
  for (const [name, value] of Object.entries(journal)) {
    new Gauge({
      name: `kube_fanout_journal_${name}`,
      help: `The journal: ${name.replaceAll('_', ' ')}.`,
      registers,
    }).set(value);
  }
  const age = 'kube_fanout_journal_oldest_record_age_seconds';
  const oldest = new Gauge({ name: age, help: 'Age of the oldest record in the journal.', registers });
  oldest.set(secondsSince(observed.journal.oldestAppendedAt, observed.now));
  const help = 'Hours until the journal is full, by its growth of the last minutes; +Inf while it does not grow.';
  new Gauge({ name: 'kube_fanout_journal_hours_to_quota', help, registers }).set(
    observed.journal.hoursToQuota ?? Number.POSITIVE_INFINITY,
  );
  return registry.metrics();
}

/** Every reason is there from the start, at 0: an alert on one that has never occurred would see nothing else. */
function held(routes: Observed['routes'], registers: Registry[]): void {
  const help = 'Destinations and keys of the route whose messages are parked, by why the first of them is.';
  const labelNames = ['route', 'reason'];
  const made = new Gauge({ name: 'kube_fanout_route_held_destinations', help, labelNames, registers });
  for (const { route, parked } of routes) {
    for (const reason of [...REASONS.held, ...REASONS.retry]) {
      made.set({ route, reason }, parked.filter((one) => one === reason).length);
    }
  }
}

function dropped(routes: Observed['routes'], registers: Registry[]): void {
  const help = 'Dead letters that were let go: by a command, or by a limit, of their number or of the journal.';
  const name = 'kube_fanout_route_dead_letters_dropped_total';
  const made = new Counter({ name, help, labelNames: ['route', 'by'], registers });
  for (const { route, dropped } of routes) {
    made.inc({ route, by: 'command' }, dropped.byCommand);
    made.inc({ route, by: 'limit' }, dropped.byLimit);
  }
}

function secondsSince(at: number | undefined, now: number): number {
  return at === undefined ? 0 : Math.max(0, now - at) / 1_000;
}
