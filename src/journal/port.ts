/** What the source, the delivery and the command line may ask of the journal. */
import type { Destination } from '../adapter.ts';
import type { Cursor, StreamName } from '../envelope/position.ts';
import type { DeadLetterOffice } from './dead-letter-office.ts';
import type { PaperTrail } from './paper-trail.ts';
import type {
  Append,
  Appended,
  JournalRecord,
  LookUp,
  NewRecord,
  ParkedMessage,
  ReplayAnswer,
  ReplayFrom,
  RouteName,
  RouteState,
  Settlement,
  StreamState,
} from './record.ts';

/** Calls take effect in the order in which they are made, and share one commit when they wait for the same one. */
export interface Journal extends AsyncDisposable {
  /** Every stream that was ever appended to. */
  streams(): Promise<readonly StreamState[]>;

  /**
   * Durable when it settles: on disk, with `sync: full` through a power cut. It waits while the disk is full, and while
   * the journal is over its quota and a route that holds it up says `block`. Rejects when the file has failed; nothing
   * of it is kept then, nor after an abort that came before the commit had begun.
   */
  append(append: Append, signal: AbortSignal): Promise<Appended>;

  /**
   * Records behind `after`, in order, up to the stream's watermark; empty when there are none yet. Fewer than the limit
   * allows do not mean that there are no more.
   */
  read(
    stream: StreamName,
    after: Cursor,
    limit: { readonly records: number; readonly bytes: number },
  ): Promise<readonly JournalRecord[]>;

  /**
   * Whether it has had each of these revisions, in the same order: in any epoch of the history that the stream is in, or
   * passed by retention or `startFrom: now`. Only what stands at or below the stream's rv is of any use. It waits for
   * the appends made before, and rejects when the signal aborts or the file has failed.
   */
  lookUp(stream: StreamName, revisions: readonly NewRecord[], signal: AbortSignal): Promise<readonly LookUp[]>;

  /** Called, never twice in one turn of the event loop, when some stream's watermark has moved. Returns its undoing. */
  onAdvance(listener: () => void): () => void;

  /**
   * The route's row, made when it is new: its cursors then stand at the oldest record or at each stream's watermark.
   * A stream that appears later is read from its first record.
   */
  openRoute(
    route: RouteName,
    options: { readonly startFrom: 'now' | 'oldest'; readonly atQuota: 'expire' | 'block' },
  ): Promise<RouteState>;

  /** The route is no longer in the config: it holds nothing back any more, and its row is kept for 24 hours. */
  closeRoute(route: RouteName): Promise<void>;

  settle(settlement: Settlement): Promise<void>;

  /**
   * Parked messages of a route still to be delivered, in order; of one destination, or one key of it, if given. Or, of a
   * destination, the first message of each key behind that one (null: of all of them), by key.
   */
  parked(
    route: RouteName,
    of: {
      readonly destination?: Destination;
      readonly key?: string;
      readonly after?: number;
      readonly firstOfEachKeyBehind?: string | null;
    },
    limit: number,
  ): Promise<readonly ParkedMessage[]>;

  /** Which destinations and keys of a route have parked messages, for a start. */
  parkedLanes(route: RouteName): Promise<
    readonly {
      readonly destination: Destination;
      readonly key: string;
      readonly state: 'retry' | 'held';
      /** Of the first of them, and since when it waits, in milliseconds since 1970. */
      readonly reason: ParkedMessage['reason'];
      readonly detail: string;
      readonly parkedAt: number;
      readonly count: number;
    }[]
  >;

  /** Dead letters of the route that were revived and that it has not taken up yet, in order. */
  revived(route: RouteName, after: number, limit: number): Promise<readonly ParkedMessage[]>;

  /** Called when dead letters of the route have been revived. Returns its undoing. */
  onRevived(route: RouteName, listener: () => void): () => void;

  /**
   * Called when the journal is over its quota and this route, whose policy is `expire`, holds it up: it must let go of
   * everything at or below `upTo` (drop it from its window) and then call `expire`.
   */
  onQuota(route: RouteName, listener: (stream: StreamName, upTo: Cursor) => void): () => void;

  /**
   * Moves the cursor to `upTo`, counts what it skipped and what was parked there as read and expired, and parks a gap
   * record for each epoch of that: with the state `retry` and the destination `''`, for only the route knows where it goes.
   */
  expire(
    route: RouteName,
    stream: StreamName,
    upTo: Cursor,
  ): Promise<{ readonly expired: number; readonly cursor: Cursor }>;

  /**
   * Moves the route's cursor back, in one commit: what it then reads up to where it stood is a replay. Who runs the route
   * must have let go of what it has read, and read on from the new cursors; refused, in words, when there is nothing to do.
   */
  replay(route: RouteName, from: ReplayFrom): Promise<ReplayAnswer>;

  /** All routes that have a row, removed ones too. */
  routes(): Promise<readonly RouteState[]>;

  stats(): Promise<JournalStats>;

  /** For people: what can never pass, and what they want to be done about it. */
  readonly deadLetters: DeadLetterOffice;

  /** For people: what was stored, and what became of it. */
  readonly paperTrail: PaperTrail;
}

export interface JournalStats {
  readonly records: number;
  /** File and WAL, in bytes, without free pages. */
  readonly bytes: number;
  readonly quotaBytes: number;
  readonly oldestAppendedAt: number | undefined;
  readonly gaps: number;
  /** Commits so far and what they held, for the metrics. */
  readonly commits: number;
  readonly duplicates: number;
  /** By the growth of the last minutes; Infinity while there is none, undefined until that can be told. */
  readonly hoursToQuota: number | undefined;
  /**
   * `reserve-used`: the disk is full. Deliveries go on with the room that was kept for this; Events wait until there is
   * room again.
   */
  readonly disk: 'ok' | 'reserve-used';
  /** Of all routes together, also of removed ones; Infinity where there is no limit. */
  readonly deadLetters: number;
  readonly maxDeadLetters: number;
}

export interface JournalOptions {
  readonly path: string;
  /** Milliseconds that delivered records are kept for a replay. */
  readonly retainMs: number;
  readonly maxBytes: number;
  /** Beyond it the oldest of the route that has the most are let go; unlimited unless given. */
  readonly maxDeadLetters?: number;
  readonly sync: 'full' | 'normal';
}
