/** What the two threads of the journal say to each other. Plain values only, so that they can be cloned. */
import type { Cursor, Position, ResourceVersion, StreamName } from '../envelope/position.ts';
import type { PackedPage, PackedRecords } from './packed-records.ts';
import type { Wanted } from './paper-trail.ts';
import type {
  Counters,
  DeadLetter,
  DeadLetterFilter,
  LookUp,
  ParkedMessage,
  RecordTrail,
  ReplayAnswer,
  ReplayFrom,
  RouteName,
  RouteState,
  StreamState,
} from './record.ts';

export interface AppendResult {
  readonly state: StreamState;
  /** One byte for each record of the append: 1 when it was not there before. */
  readonly fresh: Uint8Array;
  /** Rows of the stream's epoch stand above its watermark, where nobody reads them yet. */
  readonly hidden: boolean;
}

type ParkedFields = readonly [StreamName, number, string, string, string, string, string, string, number, number];

/** A settlement with its receipts and parked messages as rows of plain values. */
export interface SettleArgument {
  readonly route: RouteName;
  readonly cursors: ReadonlyMap<StreamName, Cursor>;
  readonly counters: Partial<Counters>;
  readonly receipts: readonly (readonly [StreamName, number, string, number, string])[];
  readonly parked: readonly ParkedFields[];
  readonly unparked: readonly number[];
}

/** Why the journal cannot let go of its oldest record. */
export interface Holder {
  readonly route: RouteName;
  readonly stream: StreamName;
  /** `unknown` until the route has been opened. */
  readonly atQuota: 'expire' | 'block' | 'unknown';
  /** About a tenth of the quota becomes free when the route lets go of everything up to here. */
  readonly upTo: Cursor;
}

export interface TrimResult {
  /** Rows that were deleted or passed over; 0 when there is nothing to be done. */
  readonly steps: number;
  /** Dead letters that had to go: for the journal was full, or there were more than `maxDeadLetters`. */
  readonly dropped: { readonly full: number; readonly beyondLimit: number };
  readonly floors: readonly { readonly stream: StreamName; readonly floor: ResourceVersion | undefined }[];
  /** Only when the journal is over its quota, and nothing could be deleted. */
  readonly holders: readonly Holder[];
}

/** What changes the file. Those that wait for the same commit share it, in their order. */
export interface Changes {
  append: {
    argument: { readonly state: StreamState; readonly records: PackedRecords; readonly appendedAt: number };
    result: AppendResult;
  };
  settle: { argument: SettleArgument; result: undefined };
  openRoute: {
    argument: {
      readonly route: RouteName;
      readonly startFrom: 'now' | 'oldest';
      readonly atQuota: 'expire' | 'block';
    };
    /** `lost`: what retention deleted while the route was removed. */
    result: {
      readonly state: RouteState;
      readonly lost: readonly { readonly stream: StreamName; readonly upTo: Cursor }[];
    };
  };
  closeRoutes: { argument: { readonly keep: readonly RouteName[]; readonly now: number }; result: undefined };
  expire: {
    argument: {
      readonly route: RouteName;
      readonly stream: StreamName;
      readonly upTo: Cursor;
      readonly gaps: PackedRecords;
      readonly now: number;
    };
    result: { readonly expired: number; readonly cursor: Cursor };
  };
  expireParked: {
    argument: { readonly route: RouteName; readonly stream: StreamName; readonly upTo: Cursor };
    result: number;
  };
  replay: {
    argument: { readonly route: RouteName; readonly from: ReplayFrom; readonly now: number };
    result: ReplayAnswer;
  };
  /** Returns those of the ids that were dead letters of the route, and the number; undefined when it is removed. */
  revive: {
    argument: {
      readonly route: RouteName;
      readonly ids: readonly number[];
      readonly number: number | undefined;
      readonly now: number;
    };
    result: { readonly ids: readonly number[]; readonly number: number } | undefined;
  };
  /** Returns those of the ids that were dead letters of the route. */
  drop: {
    argument: { readonly route: RouteName; readonly ids: readonly number[] };
    result: readonly number[];
  };
  /** Changes nothing: it settles when all that came before it has. */
  barrier: { argument: undefined; result: undefined };
  trim: { argument: { readonly before: number; readonly now: number }; result: TrimResult };
}
export type ChangeName = keyof Changes;
export type Change<K extends ChangeName = ChangeName> = {
  [N in K]: { readonly kind: N; readonly argument: Changes[N]['argument'] };
}[K];

export interface Usage {
  readonly records: number;
  /** Of the file without its free pages, and the WAL. */
  readonly bytes: number;
  /** `reserve-used`: the disk is or was full, and what is kept for that is not whole again. */
  readonly disk: 'ok' | 'reserve-used';
  readonly deadLetters: number;
}

export type ChangeReply =
  | { readonly kind: 'done'; readonly result: unknown }
  /** Against the rules; the others of its commit are done. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The disk is full; nothing of it is kept, and it may be tried again. */
  | { readonly kind: 'no-room' };

export interface ParkedRows {
  /** Without their records, which are in the page. */
  readonly rows: readonly Omit<ParkedMessage, 'record'>[];
  readonly page: PackedPage;
}

export interface Limit {
  readonly records: number;
  readonly bytes: number;
}

/** What is asked of the worker. All but `commit` leaves the file as it is. */
export interface Calls {
  open: {
    argument: {
      readonly path: string;
      readonly sync: 'full' | 'normal';
      readonly maxBytes: number;
      readonly maxDeadLetters?: number;
      readonly whenDamaged: 'mend' | 'refuse';
    };
    result:
      | { readonly kind: 'busy' }
      | {
          readonly kind: 'open';
          readonly states: readonly { readonly state: StreamState; readonly hidden: boolean }[];
          readonly usage: Usage;
          /** What was damaged and what was done about it, in words. */
          readonly mended: readonly string[];
        };
  };
  commit: {
    argument: readonly Change[];
    result: { readonly replies: readonly ChangeReply[]; readonly usage: Usage };
  };
  read: {
    argument: { readonly stream: StreamName; readonly after: Cursor; readonly limit: Limit };
    result: PackedPage;
  };
  lookUp: {
    argument: {
      readonly stream: StreamName;
      readonly revisions: readonly { readonly position: string; readonly id: string }[];
    };
    result: readonly LookUp[];
  };
  parked: {
    argument: {
      readonly route: RouteName;
      readonly destination: string | undefined;
      readonly key: string | undefined;
      readonly after: number;
      readonly firstOfEachKeyBehind: string | null | undefined;
      readonly limit: number;
    };
    result: ParkedRows;
  };
  findDeadLetters: {
    argument: {
      readonly filter: DeadLetterFilter;
      readonly order: 'oldest' | 'newest';
      /** The id behind which it begins. */
      readonly from: number | undefined;
    };
    /** `newest`: the highest id that there is, whether it fits or not; 0 without any. */
    result: { readonly letters: readonly DeadLetter[]; readonly next: number | undefined; readonly newest: number };
  };
  deadLetterRecord: { argument: number; result: PackedPage };
  revived: {
    argument: { readonly route: RouteName; readonly after: number; readonly limit: number };
    result: ParkedRows;
  };
  parkedLanes: {
    argument: RouteName;
    result: readonly {
      readonly destination: string;
      readonly key: string;
      readonly state: 'retry' | 'held';
      readonly reason: ParkedMessage['reason'];
      readonly detail: string;
      readonly parkedAt: number;
      readonly count: number;
    }[];
  };
  find: {
    argument: { readonly what: Wanted; readonly before: number | undefined };
    result: { readonly page: PackedPage; readonly before: number | undefined };
  };
  trails: {
    argument: readonly { readonly stream: StreamName; readonly epoch: number; readonly position: Position }[];
    result: readonly RecordTrail[];
  };
  gaps: { argument: number; result: PackedPage };
  routes: { argument: undefined; result: readonly RouteState[] };
  stats: { argument: undefined; result: { readonly oldestAppendedAt: number | undefined; readonly gaps: number } };
  /**
   * What the route would miss if it let go of all up to `upTo`, as the gaps that say so; undefined: nothing. `again`: it was
   * only to get that once more, by a replay.
   */
  missing: {
    argument: { readonly route: RouteName; readonly stream: StreamName; readonly upTo: Cursor };
    result:
      | {
          readonly again: boolean;
          readonly gaps: readonly {
            readonly cause: 'quota' | 'restored';
            readonly from: ResourceVersion | undefined;
            readonly to: ResourceVersion | undefined;
          }[];
        }
      | undefined;
  };
  close: { argument: undefined; result: undefined };
}
export type CallName = keyof Calls;
export type Call<K extends CallName = CallName> = {
  [N in K]: { readonly kind: N; readonly argument: Calls[N]['argument'] };
}[K];

export type Reply =
  | { readonly id: number; readonly kind: 'result'; readonly result: unknown }
  /** The file can be trusted no more: the worker has closed it. */
  | { readonly id: number; readonly kind: 'failed'; readonly message: string };
