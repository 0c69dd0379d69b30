import type { Destination } from '../../src/adapter.ts';
import type { Parked, ParkedMessage } from '../../src/journal/record.ts';

export type Row = Parked | (Omit<Parked, 'state'> & Pick<ParkedMessage, 'state'>);
export type ParkedRow = Row & { readonly id: number };

interface Wanted {
  readonly destination?: Destination | undefined;
  readonly key?: string | undefined;
  readonly after?: number | undefined;
}

/** Those that stand in lanes, or in one of them. */
export function inLanes(rows: readonly ParkedRow[], { destination, key, after = 0 }: Wanted): readonly ParkedRow[] {
  return rows
    .filter(({ state, id }) => state !== 'dead' && state !== 'revived' && id > after)
    .filter((row) => destination === undefined || row.destination === destination)
    .filter((row) => key === undefined || row.key === key);
}

export function revivedOf(rows: readonly ParkedRow[], after: number): readonly ParkedRow[] {
  return rows.filter(({ state, id }) => state === 'revived' && id > after);
}

export function firstOfEachKey(rows: readonly ParkedRow[], behind: string | null): readonly ParkedRow[] {
  const keys = [...new Set(rows.map(({ key }) => key))].filter((key) => behind === null || key > behind).toSorted();
  return keys.flatMap((key) => rows.find((row) => row.key === key) ?? []);
}

export function lanesOf(all: readonly ParkedRow[]) {
  const rows = inLanes(all, {}).map((row) => ({
    ...row,
    state: row.state === 'held' ? row.state : ('retry' as const),
  }));
  const laneOf = ({ destination, key }: Row) => `${destination}\n${key}`;
  const heads = new Map(rows.toReversed().map((row) => [laneOf(row), row]));
  return [...heads].map(([lane, head]) => ({ ...head, count: rows.filter((row) => laneOf(row) === lane).length }));
}
