/** What the journal should hold, in two arrays and a few numbers; and what may happen to it. */
import fc from 'fast-check';
import {
  ALL_NAMESPACES,
  type Cursor,
  compareCursors,
  gapPositionOf,
  ORIGIN,
  type Position,
} from '../../src/envelope/position.ts';
import type { NewRecord, StreamState } from '../../src/journal/record.ts';

const percent = fc.nat(99);
export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('watch' as const),
      events: fc.integer({ min: 0, max: 6 }),
      again: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      ahead: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('list-ends' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gap' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('late' as const), by: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), to: fc.integer({ min: 1, max: 60 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      from: percent,
      records: fc.integer({ min: 1, max: 9 }),
      bytes: fc.integer({ min: 1, max: 900 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      fates: fc.array(fc.constantFrom('delivered', 'filtered', 'held', 'dead'), { maxLength: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('unpark' as const),
      count: fc.integer({ min: 1, max: 4 }),
      dies: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const), upTo: percent }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('replay' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reopen' as const, 'crash' as const) }) },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

export class Model {
  state: StreamState = { stream: ALL_NAMESPACES, epoch: 1, rv: undefined, floor: undefined, listing: undefined };
  readonly records: (Cursor & { readonly record: NewRecord })[] = [];
  cursor: Cursor = ORIGIN;
  /** Of a replay under way. */
  end: Cursor | undefined;
  /** Places of parked messages in their order, those of the route's own gaps without a place. */
  pending: (Cursor | 'gap')[] = [];
  readonly counters = { read: 0, delivered: 0, filtered: 0, limited: 0, dead: 0, expired: 0 };

  append(records: readonly NewRecord[], state: StreamState): number {
    this.state = state;
    const before = this.records.length;
    for (const record of records) {
      const place = { epoch: state.epoch, position: record.position };
      if (!this.records.some((known) => compareCursors(known, place) === 0)) this.records.push({ ...place, record });
    }
    this.records.sort(compareCursors);
    return this.records.length - before;
  }

  /** What routes may read, in order. */
  get visible(): readonly (Cursor & { readonly record: NewRecord })[] {
    const { epoch, rv } = this.state;
    const last = rv && gapPositionOf(rv);
    return this.records.filter((at) => at.epoch < epoch || (last !== undefined && at.position <= last));
  }

  /** The route has yet to read it, or has parked it to deliver it later. */
  needs(place: Cursor): boolean {
    const pending = this.pending.some((at) => at !== 'gap' && compareCursors(at, place) === 0);
    return pending || compareCursors(place, this.cursor) > 0;
  }

  moveOn(cursor: Cursor): void {
    this.cursor = cursor;
    if (this.end && compareCursors(cursor, this.end) >= 0) this.end = undefined;
  }

  behind(cursor: Cursor) {
    return this.visible.filter((at) => compareCursors(at, cursor) > 0);
  }
}

interface Told {
  readonly from?: string;
  readonly to: string;
  readonly cause: string;
}

/** Those of one epoch that the gap does not cover; of a gap record, also what that one told of. */
export function unannounced(gap: Told, lost: Model['visible']): string[] {
  const begins = lost.flatMap(({ position, record }) => {
    if (record.kind === 'event') return Number(position.slice(2)) - 1;
    const { from, cause }: Told = JSON.parse(Buffer.from(record.data).toString()).gap;
    return cause === 'restored' ? [] : Number(from ?? 0);
  });
  const events = lost.filter(({ record }) => record.kind === 'event');
  const late = events.filter(({ position }) => Number(position.slice(2)) > Number(gap.to));
  const early = begins.filter((begin) => begin < Number(gap.from ?? 0));
  const where = `in the gap from ${gap.from} to ${gap.to}`;
  return [...early.map((begin) => `behind ${begin}, ${where}`), ...late.map(({ position }) => `${position}, ${where}`)];
}

/** What must be the same in both. */
export function essence(record: NewRecord & Cursor) {
  const { epoch, position, kind, key, origin, attributes, data } = record;
  return {
    epoch,
    position: position as Position,
    kind,
    key,
    origin,
    id: attributes.id,
    data: Buffer.from(data).toString(),
  };
}
