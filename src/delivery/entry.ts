import type { Destination, HeldReason, Message, Receipt, RejectReason, RetryReason } from '../adapter.ts';
import type { Cursor, StreamName } from '../envelope/position.ts';
import type { JournalRecord, ParkedMessage, RouteName } from '../journal/record.ts';
import type { Decision, Route } from '../routing/route.ts';

/** Why a message is parked, or dead. */
export interface Verdict {
  readonly state: 'retry' | 'held' | 'dead';
  readonly reason: RetryReason | HeldReason | RejectReason;
  readonly detail: string;
}

/** Why a lane or a route waits, and since when, in milliseconds since 1970. */
export interface Hold extends Verdict {
  readonly since: number;
}

/** What became of an entry, waiting to be committed. */
export type Effect =
  | { readonly kind: 'delivered'; readonly receipt: Receipt; readonly at: number }
  | { readonly kind: 'parked'; readonly verdict: Verdict; readonly at: number }
  | { readonly kind: 'filtered' };

/** A row of the table of parked messages, and the lane that it stands in; a revived dead letter stands in none. */
export interface ParkedRow {
  readonly id: number;
  readonly revived: boolean;
  readonly destination: Destination;
  readonly key: string;
}

/** One message on its way: from the journal's window, or, with a `parked`, from the table of parked messages. */
export interface Entry {
  readonly stream: StreamName;
  readonly cursor: Cursor;
  readonly message: Message;
  readonly destination: Destination;
  readonly key: string;
  readonly bytes: number;
  readonly parked: ParkedRow | undefined;
  /** The number of the replay under which it is sent; 0 when it is none. */
  readonly replay: number;
  /** Set once; an outcome that comes later, as after a quota has let go of the entry, changes nothing. */
  effect: Effect | 'dropped' | undefined;
  /** Failed attempts in a row, and when the first of them was, by the steady clock. */
  failures: number;
  failedSince: number | undefined;
  /** Verdicts of the broker that it can never pass, and the era of its destination (judge.ts) of the last one. */
  rejections: number;
  rejectedIn: number | undefined;
  /** How often the connection broke while this message was alone on it. */
  breaks: number;
  /** Since it first broke the connection: how many others were delivered, and how often others broke it. */
  othersPassed: number;
  othersBroke: number;
}

/** It was loaded from a lane: there it stays until it has passed or died. */
export function isInLane({ parked }: Entry): boolean {
  return parked?.revived === false;
}

/** What became of it is that it stands in a lane from now on. */
export function parksAt(entry: Entry, destination: Destination, key: string | undefined): boolean {
  const { effect } = entry;
  if (effect === undefined || effect === 'dropped' || effect.kind !== 'parked') return false;
  const there = entry.destination === destination && (key === undefined || entry.key === key);
  return there && effect.verdict.state !== 'dead';
}

export interface Place {
  readonly destination: Destination;
  readonly key: string;
}

export function entryOf(
  record: JournalRecord,
  place: Place,
  of: { readonly route: RouteName; readonly replay: number; readonly parked?: ParkedRow },
): Entry {
  const { attributes, data } = record;
  const { replay } = of;
  const id = `${attributes.id}/${of.route}`;
  return {
    stream: record.stream,
    cursor: { epoch: record.epoch, position: record.position },
    message: {
      ...place,
      attributes: { ...attributes, origin: replay > 0 ? 'replay' : record.origin },
      data,
      deduplicationId: replay > 0 ? `${id}/${replay}` : id,
    },
    ...place,
    bytes: data.byteLength,
    parked: of.parked,
    replay,
    effect: undefined,
    failures: 0,
    failedSince: undefined,
    rejections: 0,
    rejectedIn: undefined,
    breaks: 0,
    othersPassed: 0,
    othersBroke: 0,
  };
}

/** Of a row of a lane: it goes where it was to go. */
export function decisionOf({ record, destination, key }: ParkedMessage, route: Route, now: number): Decision {
  // What the journal parked itself, the gap of a quota, has no destination yet; what was damaged since may not go out.
  return destination !== '' && record.intact ? { kind: 'publish', destination, key } : route.decide(record, now);
}

/** Of a parked message, by what the route says of it. */
export function parkedEntryOf(
  { id, record, destination, key, replay }: ParkedMessage,
  decision: Decision,
  { route, revived }: { readonly route: RouteName; readonly revived: boolean },
): Entry {
  const row = { destination, key };
  const place = decision.kind === 'publish' ? { destination: decision.destination, key: decision.key } : row;
  return entryOf(record, place, { route, replay, parked: { ...row, id, revived } });
}
