/** What the journal holds, in the words that the source and the delivery use. */
import type { Destination, HeldReason, Receipt, RejectReason, RetryReason } from '../adapter.ts';
import type { NewRecord } from '../envelope/new-record.ts';
import type { Cursor, Position, ResourceVersion, StreamName } from '../envelope/position.ts';

export type { NewRecord } from '../envelope/new-record.ts';

declare const brand: unique symbol;
export type RouteName = string & { readonly [brand]: 'RouteName' };

export interface JournalRecord extends NewRecord {
  readonly stream: StreamName;
  readonly epoch: number;
  /** Milliseconds since 1970, when it was appended. */
  readonly appendedAt: number;
  /** False when the stored checksum does not fit the stored bytes: such a record is a dead letter for every route. */
  readonly intact: boolean;
}

/**
 * A list under way, kept by the journal as one JSON value that only the source reads. Its rows come in any order, above
 * the stream's rv, which stands still until the last page is in; the watch runs beside it and has its own checkpoint.
 */
export interface Listing {
  /** Up to where the watch beside the list has delivered: it resumes there, and it is the stream's rv in the end. */
  readonly rv: ResourceVersion;
  /** Where the list goes on. */
  readonly token: string;
  /** The resourceVersion of the list's snapshot: what it does not hold at or below it, nobody can give any more. */
  readonly to: ResourceVersion;
  /** Why something up to `to` may have gone unobserved; undefined when nothing has. */
  readonly gap: 'compacted' | 'expired-token' | undefined;
  /** Records that the list has brought so far. */
  readonly recovered: number;
}

/**
 * Where a stream stands. (epoch, rv) is checkpoint and watermark at once: routes read up to it, a watch resumes from it,
 * unless a list is under way.
 */
export interface StreamState {
  readonly stream: StreamName;
  readonly epoch: number;
  readonly rv: ResourceVersion | undefined;
  /** Nothing at or below it is in the journal: set by a start from now, raised by retention (the higher one stays). */
  readonly floor: ResourceVersion | undefined;
  readonly listing: Listing | undefined;
}

/** Appended in one transaction with the state that the stream then has. Records may stand above its rv: they wait. */
export interface Append {
  readonly records: readonly NewRecord[];
  readonly state: StreamState;
}

export interface Appended {
  readonly state: StreamState;
  /** Records that were not there before, by (stream, epoch, position). */
  readonly inserted: number;
}

/**
 * Of a revision that the API server has: the journal has had it, has not, or has another one of the same history at its
 * position, which shows that the history is not the same.
 */
export type LookUp = 'known' | 'unknown' | 'another';

/** Columns of the route's row, committed with its cursor: read = delivered + filtered + limited + dead + expired + pending. */
export interface Counters {
  readonly read: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly limited: number;
  readonly dead: number;
  readonly expired: number;
}

export interface RouteState {
  readonly route: RouteName;
  readonly cursors: ReadonlyMap<StreamName, Cursor>;
  readonly counters: Counters;
  /** Parked messages that are still to be delivered, counted from the table. */
  readonly pending: number;
  /** Dead letters that are there now; `counters.dead` counts all that there ever were. */
  readonly deadLetters: number;
  /** Dead letters that were let go: by a command, or because there were too many or the journal was full. */
  readonly dropped: { readonly byCommand: number; readonly byLimit: number };
  /** Records that can be read and that the cursor has not passed yet. */
  readonly lag: number;
  /** When the first of those was appended, in milliseconds since 1970. */
  readonly waitingSince: number | undefined;
  /** How often an operator has had something sent again, by a replay of either kind: the newest one's number. */
  readonly replays: number;
  /** Of the streams in which the cursor stands where it was moved back to, or behind, and not yet where it had stood. */
  readonly replaying: ReadonlyMap<StreamName, ReplayUnderWay>;
}

/** What the route reads up to `end` is sent again under this number; what stands behind is sent for the first time. */
export interface ReplayEnd {
  readonly end: Cursor;
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly askedAt: number;
}

interface ReplayUnderWay extends ReplayEnd {
  /** Records up to there that the cursor has not passed again. */
  readonly left: number;
}

/** Where a replay begins: with all that is left, with what was stored then or later, or with the record there. */
export type ReplayFrom =
  | { readonly kind: 'oldest' }
  /** Milliseconds since 1970. */
  | { readonly kind: 'time'; readonly at: number }
  /** What a number may mean, as a sequence or as a resourceVersion; the first of them that is there. */
  | { readonly kind: 'position'; readonly positions: readonly Position[] };

/** What a route is going to send again of a stream. */
export interface ReplayedStream extends ReplayEnd {
  readonly stream: StreamName;
  /** Where the cursor stands now. */
  readonly cursor: Cursor;
  readonly first: Cursor & { readonly appendedAt: number };
  /** How many the route will read again, up to the end; it may filter some of them. */
  readonly records: number;
}

/** `refused`: why not, as a sentence. */
export type ReplayAnswer =
  | { readonly number: number; readonly streams: readonly ReplayedStream[] }
  | { readonly refused: string };

/**
 * A message that the cursor has passed and that is not delivered. Parked for good, with no next try, it is a dead letter.
 * The record itself stays in the journal as long as a parked message refers to it.
 */
export interface Parked {
  readonly stream: StreamName;
  readonly cursor: Cursor;
  readonly destination: Destination;
  readonly key: string;
  readonly state: 'retry' | 'held' | 'dead';
  readonly reason: RetryReason | HeldReason | RejectReason;
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly parkedAt: number;
  /** The number of the replay under which it is sent; 0 when it is none. */
  readonly replay: number;
}

export interface ParkedMessage extends Omit<Parked, 'state'> {
  readonly id: number;
  /** `revived`: a dead letter that a person wants to be sent again, and that the route has not taken up yet. */
  readonly state: Parked['state'] | 'revived';
  readonly record: JournalRecord;
}

/** A message that can never pass, and its Event in short; the record is asked for by itself, for it may be large. */
export interface DeadLetter extends Omit<Parked, 'key' | 'state' | 'parkedAt'> {
  readonly id: number;
  readonly route: RouteName;
  /** Milliseconds since 1970. */
  readonly diedAt: number;
  /** Of the CloudEvent's data. */
  readonly bytes: number;
  /** Of the CloudEvent; empty where the record is damaged. */
  readonly eventId: string;
  readonly object: string;
  readonly eventReason: string | undefined;
  readonly occurredAt: string | undefined;
}

/** All that is given must fit. */
export interface DeadLetterFilter {
  readonly route?: RouteName | undefined;
  readonly reason?: RejectReason | undefined;
  /** Died then or later, or then or before, in milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Any of them: ids of dead letters or of CloudEvents. */
  readonly ids?: readonly string[] | undefined;
}

/** The paper trail of one delivery. */
export interface DeliveredReceipt {
  readonly stream: StreamName;
  readonly cursor: Cursor;
  readonly receipt: Receipt;
  readonly deliveredAt: number;
}

/** Why a route's cursor has passed a record without a verdict on it, and when, in milliseconds since 1970. */
export interface PassedOverReason {
  /**
   * before-start: the route was made after it; quota: it expired when the journal was full; dropped: a dead letter that an
   * operator or a limit has let go.
   */
  readonly reason: 'before-start' | 'quota' | 'dropped';
  readonly at: number;
}

/** What became of a record on one route, as far as the journal knows. */
export interface RouteTrail {
  readonly route: RouteName;
  /** It is no longer in the config. */
  readonly removed: boolean;
  /** Of the newest delivery. */
  readonly receipt: Pick<DeliveredReceipt, 'receipt' | 'deliveredAt'> | undefined;
  readonly parked: readonly Omit<ParkedMessage, 'record' | 'stream' | 'cursor'>[];
  readonly passedOver: PassedOverReason | undefined;
  /** While the cursor has not passed it: how many records come before it, counted up to a thousand. */
  readonly ahead: number | undefined;
  /** The number of the replay in which it then comes again; undefined when it comes for the first time. */
  readonly replay: number | undefined;
}

export interface RecordTrail {
  /** False while a list is under way: routes cannot read it yet. */
  readonly readable: boolean;
  readonly routes: readonly RouteTrail[];
}

/** What a route commits at once: how far it is, and what became of all that the cursor passed. */
export interface Settlement {
  readonly route: RouteName;
  readonly cursors: ReadonlyMap<StreamName, Cursor>;
  /** Added to the route's counters. */
  readonly counters: Partial<Counters>;
  readonly receipts: readonly DeliveredReceipt[];
  readonly parked: readonly Parked[];
  /** Parked messages that have been delivered (with a receipt above) or have died (with a new `parked` row). */
  readonly unparked: readonly number[];
}
