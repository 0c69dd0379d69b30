import { z } from 'zod';
import type { ConnectionState } from '../delivery/connection.ts';
import type { RouteStatus } from '../delivery/route-worker.ts';
import type { RouteState, StreamState } from '../journal/record.ts';
import type { StreamStatus } from '../source/status.ts';
import { iso, time } from './fate.ts';
import { gap, gapsOf } from './gaps.ts';
import type { Inspected, Operation } from './operation.ts';

const argument = z.strictObject({});

const journal = z.object({
  records: z.int(),
  bytes: z.int(),
  /** Not known of a stopped daemon’s file. */
  quotaBytes: z.int().optional(),
  oldestAt: time.optional(),
  gaps: z.int(),
  /** `not-growing`; without it, nothing can be said yet. */
  hoursToQuota: z.union([z.number(), z.literal('not-growing')]).optional(),
  /** Only of a running daemon's. */
  disk: z.enum(['ok', 'reserve-used']).optional(),
  deadLetters: z.int(),
  maxDeadLetters: z.int().optional(),
});

const stream = z.object({
  stream: z.string(),
  epoch: z.int(),
  /** The checkpoint: routes read up to here. */
  rv: z.string().optional(),
  /** The watch is accepted, and since when it is so, or is not. */
  up: z.boolean(),
  since: time.optional(),
  phase: z.string().optional(),
  lastLineAt: time.optional(),
  lastError: z.string().optional(),
  /** A list under way: up to which resourceVersion, and what it has brought so far. */
  listing: z.object({ to: z.string(), recovered: z.int() }).optional(),
  lastAudit: z.object({ endedAt: time, looked: z.int(), found: z.int() }).optional(),
});

const hold = { reason: z.string(), detail: z.string(), since: time };

const route = z.object({
  route: z.string(),
  broker: z.string().optional(),
  cursors: z.array(z.object({ stream: z.string(), epoch: z.int(), position: z.string() })),
  counters: z.object({
    read: z.int(),
    delivered: z.int(),
    filtered: z.int(),
    limited: z.int(),
    dead: z.int(),
    expired: z.int(),
  }),
  pending: z.int(),
  /** That are there now, and that were let go: by a command, or by a limit of their number or of the journal. */
  deadLetters: z.int(),
  dropped: z.object({ byCommand: z.int(), byLimit: z.int() }),
  /** Records that the cursor has not passed, and how long ago the first of them was stored. */
  lag: z.int(),
  lagSeconds: z.number(),
  /** One that is under way: its number, when it was asked for, and how many records are left of it. */
  replay: z.object({ number: z.int(), since: time, left: z.int() }).optional(),
  /** Undefined for a route that does not run now. */
  connection: z
    .object({
      state: z.enum(['connecting', 'up', 'down']),
      since: time,
      error: z.string().optional(),
      nextTryAt: time.optional(),
    })
    .optional(),
  /** Nothing of it gets through. */
  stopped: z.object(hold).optional(),
  /** Destinations, or keys of them, whose messages are parked; the first twenty, and how many there are. */
  held: z.array(z.object({ destination: z.string(), key: z.string().optional(), ...hold, nextTryAt: time.optional() })),
  heldCount: z.int(),
});

const item = z.object({
  /** False on a stopped daemon’s file. */
  running: z.boolean(),
  journal,
  streams: z.array(stream),
  routes: z.array(route),
  /** The newest first. */
  gaps: z.array(gap),
});

type Argument = z.output<typeof argument>;
export type Status = z.output<typeof item>;

const HELD_SHOWN = 20;
const GAPS_SHOWN = 5;

/** Where everything stands: one item. */
export const status: Operation<Argument, Status> = {
  argument,
  item,
  async *answer(inspected) {
    const streams = await inspected.journal.streams();
    const routes = await inspected.journal.routes();
    yield {
      running: inspected.running !== undefined,
      journal: await journalStatus(inspected),
      streams: streams.map((state) => streamStatus(state, inspected)),
      routes: routes.map((state) => routeStatus(state, inspected)),
      gaps: await gapsOf(inspected.journal, GAPS_SHOWN),
    };
  },
};

async function journalStatus({ journal, running }: Inspected): Promise<Status['journal']> {
  const stats = await journal.stats();
  const { records, bytes, quotaBytes, oldestAppendedAt, gaps, hoursToQuota, disk, deadLetters, maxDeadLetters } = stats;
  return {
    records,
    bytes,
    gaps,
    deadLetters,
    // A file that is only looked at has no limits.
    ...(Number.isFinite(quotaBytes) && { quotaBytes }),
    ...(Number.isFinite(maxDeadLetters) && { maxDeadLetters }),
    oldestAt: oldestAppendedAt === undefined ? undefined : iso(oldestAppendedAt),
    hoursToQuota: hoursToQuota === Number.POSITIVE_INFINITY ? 'not-growing' : hoursToQuota,
    ...(running && { disk }),
  };
}

function streamStatus({ stream, epoch, rv, listing }: StreamState, { running }: Inspected): Status['streams'][number] {
  const live = running?.streams.find((one) => one.stream === stream);
  return {
    stream,
    epoch,
    rv,
    up: live?.up ?? false,
    listing: listing && { to: listing.to, recovered: listing.recovered },
    ...(live && liveStream(live)),
  };
}

function liveStream({ phase, since, lastLineAt, lastError, lastAudit }: StreamStatus) {
  return {
    phase,
    since: iso(since),
    lastLineAt: lastLineAt === undefined ? undefined : iso(lastLineAt),
    lastError,
    lastAudit: lastAudit && { ...lastAudit, endedAt: iso(lastAudit.endedAt) },
  };
}

function routeStatus(state: RouteState, { running }: Inspected): Status['routes'][number] {
  const { route, cursors, counters, pending, deadLetters, dropped, lag, waitingSince } = state;
  const live = running?.routes.get(route);
  return {
    route,
    broker: live?.broker,
    cursors: Array.from(cursors, ([stream, { epoch, position }]) => ({ stream, epoch, position })),
    counters,
    pending,
    deadLetters,
    dropped,
    lag,
    lagSeconds: waitingSince === undefined ? 0 : Math.max(0, Date.now() - waitingSince) / 1_000,
    replay: replayOf(state),
    held: [],
    heldCount: 0,
    ...(live && liveRoute(live.status)),
  };
}

/** Streams that an older one was still under way in may go on under its number: the newest speaks for them. */
function replayOf({ replaying }: RouteState): Status['routes'][number]['replay'] {
  const all = [...replaying.values()].sort((a, b) => b.number - a.number);
  const [newest] = all;
  if (newest === undefined) return undefined;
  const left = all.reduce((sum, one) => sum + one.left, 0);
  return { number: newest.number, since: iso(newest.askedAt), left };
}

function liveRoute({ connection, stopped, parked }: RouteStatus) {
  const held = parked.slice(0, HELD_SHOWN).map(({ destination, key, verdict, nextTryAt }) => {
    return { destination, key, ...holdOf(verdict), nextTryAt: nextTryAt === undefined ? undefined : iso(nextTryAt) };
  });
  return { connection: connectionOf(connection), stopped: stopped && holdOf(stopped), held, heldCount: parked.length };
}

function holdOf({ reason, detail, since }: NonNullable<RouteStatus['stopped']>) {
  return { reason, detail, since: iso(since) };
}

function connectionOf(state: ConnectionState): Status['routes'][number]['connection'] {
  const { kind, since } = state;
  return {
    state: kind,
    since: iso(since),
    ...(kind !== 'up' && { error: state.error }),
    ...(kind === 'down' && { nextTryAt: iso(state.retryAt) }),
  };
}
