import { z } from 'zod';
import type { ConnectionState } from '../delivery/connection.ts';
import type { RouteStatus } from '../delivery/route-worker.ts';
import type { JournalRecord, RouteTrail } from '../journal/record.ts';
import type { Explanation } from '../routing/route.ts';

/** RFC 3339, in UTC. */
export const time = z.iso.datetime();

const value = z.union([z.string(), z.number(), z.boolean()]);

/** What became of a record on one route. */
export const fate = z.discriminatedUnion('state', [
  z.object({ state: z.literal('delivered'), at: time, receipt: z.record(z.string(), value) }),
  z.object({
    state: z.literal('filtered'),
    /** `when` of the config as it is now; or `gaps`: the route wants no gap records. */
    by: z.enum(['when', 'gaps']),
    /** The smallest part of `when` that decided, its line in the config file, and what it gave. */
    part: z.string().optional(),
    line: z.int().optional(),
    gives: z.boolean().optional(),
    values: z.array(z.object({ name: z.string(), value })).optional(),
  }),
  z.object({
    state: z.literal('waiting'),
    /** Records that the route has before it, counted up to a thousand. */
    ahead: z.int(),
    for: z.enum(['daemon', 'list', 'broker', 'destination', 'key', 'turn']),
    detail: z.string().optional(),
    since: time.optional(),
    /** The number of the replay in which it comes again. */
    replay: z.int().optional(),
  }),
  z.object({
    state: z.literal('parked'),
    destination: z.string(),
    reason: z.string(),
    detail: z.string(),
    since: time,
    nextTryAt: time.optional(),
    /** In which replay it is sent; without it, it is sent for the first time. So too below. */
    replay: z.int().optional(),
  }),
  z.object({
    state: z.literal('dead'),
    /** Of the dead letter. */
    id: z.int(),
    destination: z.string(),
    reason: z.string(),
    detail: z.string(),
    at: time,
    replay: z.int().optional(),
  }),
  z.object({
    state: z.literal('expired'),
    by: z.enum(['maxAge', 'quota']),
    at: time.optional(),
    maxAgeMs: z.number().optional(),
  }),
  z.object({ state: z.literal('before-start'), at: time }),
  z.object({ state: z.literal('dropped'), at: time }),
  /** The cursor has passed it, and the journal alone cannot tell why. */
  z.object({ state: z.literal('unknown'), detail: z.string() }),
]);

export type Fate = z.output<typeof fate>;

interface Known {
  readonly record: JournalRecord;
  readonly readable: boolean;
  readonly trail: RouteTrail;
  /** Undefined without the route's config. */
  readonly explanation: Explanation | undefined;
  /** Undefined while the route does not run. */
  readonly status: RouteStatus | undefined;
}

/** Mostly one; a record that comes again after a replay may have been delivered before, and have died or wait now. */
export function fatesOf(known: Known): readonly Fate[] {
  const { receipt, parked, ahead, passedOver, replay } = known.trail;
  const fates: Fate[] = [];
  if (receipt) fates.push({ state: 'delivered', at: iso(receipt.deliveredAt), receipt: { ...receipt.receipt } });
  for (const row of parked) fates.push(parkedFate(row, known.status));
  if (ahead !== undefined) fates.push({ state: 'waiting', ahead, ...waitsFor(known), ...numbered(replay) });
  if (fates.length > 0) return fates;
  if (passedOver) return [passedOverFate(passedOver)];
  return [explained(known.explanation)];
}

function parkedFate(row: RouteTrail['parked'][number], status: RouteStatus | undefined): Fate {
  const { id, destination, key, state, reason, detail, parkedAt, replay } = row;
  if (state === 'dead') return { state, id, destination, reason, detail, at: iso(parkedAt), ...numbered(replay) };
  if (state === 'revived') return { state: 'parked', destination, reason, detail, since: iso(parkedAt), replay };
  const lane = status?.parked.find((one) => one.destination === destination && (one.key ?? key) === key);
  const nextTryAt = lane?.nextTryAt;
  return {
    state: 'parked',
    destination,
    // What holds the first of them says more than that this one waits behind it.
    reason: lane?.verdict.reason ?? reason,
    detail: lane?.verdict.detail ?? detail,
    since: iso(parkedAt),
    ...(nextTryAt !== undefined && { nextTryAt: iso(nextTryAt) }),
    ...numbered(replay),
  };
}

function numbered(replay = 0): { readonly replay?: number } {
  return replay > 0 ? { replay } : {};
}

type Waiting = Omit<Extract<Fate, { state: 'waiting' }>, 'state' | 'ahead'>;

function waitsFor({ record, readable, trail, explanation, status }: Known): Waiting {
  if (trail.removed) return { for: 'daemon', detail: 'the route is no longer in the config' };
  if (!readable)
    return { for: 'list', detail: 'a list of the API server’s Events is under way, and its end comes first' };
  if (status === undefined) return { for: 'daemon', detail: 'no daemon runs this route' };
  const { connection, stopped, backingOff } = status;
  if (connection.kind !== 'up') return broker(connection);
  if (stopped) return { for: 'destination', detail: `${stopped.reason}: ${stopped.detail}`, since: iso(stopped.since) };
  const key = explanation?.kind === 'publish' ? explanation.key : record.key;
  if (backingOff.includes(key)) return { for: 'key', detail: 'a message of its key has failed, and is tried again' };
  return { for: 'turn' };
}

function broker(connection: Exclude<ConnectionState, { kind: 'up' }>): Waiting {
  return { for: 'broker', detail: connection.error ?? 'not connected yet', since: iso(connection.since) };
}

function passedOverFate({ reason, at }: NonNullable<RouteTrail['passedOver']>): Fate {
  return reason === 'quota' ? { state: 'expired', by: 'quota', at: iso(at) } : { state: reason, at: iso(at) };
}

function explained(explanation: Explanation | undefined): Fate {
  if (explanation === undefined) {
    const detail = 'filtered, or older than the route’s maxAge: only its config can tell which (-c FILE)';
    return { state: 'unknown', detail };
  }
  if (explanation.kind === 'expired') return { state: 'expired', by: 'maxAge', maxAgeMs: explanation.maxAgeMs };
  if (explanation.kind !== 'filtered') {
    const detail = 'the route has passed it without taking it; by its config of today it would: that has changed since';
    return { state: 'unknown', detail };
  }
  if (explanation.by === 'gaps') return { state: 'filtered', by: 'gaps' };
  const { part, line, gives, values } = explanation;
  return { state: 'filtered', by: 'when', part, gives, values: [...values], ...(line !== undefined && { line }) };
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
