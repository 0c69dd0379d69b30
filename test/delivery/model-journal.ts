import { type Cursor, compareCursors, gapPositionOf, ORIGIN, type StreamName } from '../../src/envelope/position.ts';
import type {
  Counters,
  JournalRecord,
  ReplayAnswer,
  ReplayEnd,
  ReplayedStream,
  ReplayFrom,
  RouteName,
  RouteState,
  Settlement,
} from '../../src/journal/record.ts';
import { firstOfEachKey, inLanes, lanesOf, type ParkedRow as Row, revivedOf } from './model-parked.ts';
import { recordAt } from './naive-journal.ts';

interface RouteRow {
  open: boolean;
  readonly cursors: Map<StreamName, Cursor>;
  readonly counters: { -readonly [K in keyof Counters]: number };
  replays: number;
  readonly replaying: Map<StreamName, ReplayEnd>;
  parked: Row[];
}

const ROUTE_GAPS = '_gaps' as StreamName;

/**
 * The journal in arrays, for several streams and routes: each call takes effect at once and as a whole. Whoever settles
 * must have said of each record that the cursor passes, and of each parked message that leaves, exactly once what became
 * of it: anything else throws.
 */
export class ModelJournal {
  readonly #records: JournalRecord[] = [];
  readonly #trimmed = new Map<StreamName, Cursor>();
  readonly #routes = new Map<RouteName, RouteRow>();
  #nextId = 1;

  append(records: readonly JournalRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      if (!this.#trimmed.has(record.stream)) this.#trimmed.set(record.stream, ORIGIN);
    }
  }

  streamNames(): readonly StreamName[] {
    return [...this.#trimmed.keys()];
  }

  read(stream: StreamName, after: Cursor, limit: number): readonly JournalRecord[] {
    return this.#of(stream)
      .filter((record) => compareCursors(record, after) > 0)
      .slice(0, limit);
  }

  openRoute(name: RouteName, startFrom: 'now' | 'oldest'): RouteState {
    const known = this.#routes.get(name);
    const row = known ?? this.#newRoute(startFrom);
    this.#routes.set(name, row);
    row.open = true;
    for (const [stream, trimmed] of this.#trimmed) {
      if (known && compareCursors(row.cursors.get(stream) ?? ORIGIN, trimmed) < 0) this.#expire(row, stream, trimmed);
    }
    return this.state(name);
  }

  closeRoute(name: RouteName): void {
    this.#need(name).open = false;
  }

  settle({ route, cursors, counters, receipts, parked, unparked }: Settlement): void {
    const row = this.#need(route);
    // A replay may bring a record again that is parked still.
    const passed: string[] = [];
    for (const [stream, to] of cursors) {
      const from = row.cursors.get(stream) ?? ORIGIN;
      if (compareCursors(to, from) <= 0) throw new Error(`the cursor of ${route} in ${stream} went back`);
      for (const record of this.#between(stream, from, to)) passed.push(placeOf(record.stream, record));
      moveOn(row, stream, to);
    }
    if (passed.length !== (counters.read ?? 0)) throw new Error(`${counters.read} read, but ${passed.length} passed`);
    for (const id of unparked) {
      const leaving = row.parked.find((one) => one.id === id && one.state !== 'dead');
      if (leaving === undefined) throw new Error(`the parked message ${id} of ${route} left twice`);
      passed.push(placeOf(leaving.stream, leaving.cursor));
    }
    for (const { stream, cursor } of [...receipts, ...parked]) {
      const place = placeOf(stream, cursor);
      const at = passed.indexOf(place);
      if (at >= 0) passed.splice(at, 1);
      else throw new Error(`what became of ${place} on ${route} was said twice, or too early`);
    }
    const silently = (counters.filtered ?? 0) + (counters.expired ?? 0);
    if (passed.length !== silently)
      throw new Error(`of ${passed.length} nothing was said, but ${silently} were left out`);
    row.parked = row.parked.filter(({ id }) => !unparked.includes(id));
    for (const one of parked) row.parked.push({ ...one, id: this.#nextId++ });
    for (const [name, n] of Object.entries(counters)) row.counters[name as keyof Counters] += n ?? 0;
  }

  /** From the oldest record that is left, or from a position on. */
  replay(name: RouteName, from: ReplayFrom): ReplayAnswer {
    const row = this.#need(name);
    const position = from.kind === 'position' ? from.positions[0] : undefined;
    const streams = [...this.#trimmed].flatMap(([stream, trimmed]): ReplayedStream[] => {
      const stood = row.cursors.get(stream) ?? ORIGIN;
      const passed = this.#between(stream, trimmed, stood);
      const [first] = passed.filter((record) => position === undefined || record.position >= position);
      const last = passed.at(-1);
      if (first === undefined || last === undefined) return [];
      const { epoch, position: at } = passed[passed.indexOf(first) - 1] ?? trimmed;
      const records = passed.length - passed.indexOf(first);
      const end = row.replaying.get(stream)?.end ?? { epoch: last.epoch, position: last.position };
      const replay = { end, number: row.replays + 1, askedAt: 0 };
      row.cursors.set(stream, { epoch, position: at });
      row.replaying.set(stream, replay);
      return [{ ...replay, stream, cursor: { epoch, position: at }, first, records }];
    });
    if (streams.length === 0) return { refused: 'nothing' };
    row.replays += 1;
    return { number: row.replays, streams };
  }

  /** What the cursor skips; what is parked there is for `expireParked`, which may come after a crash, or never. */
  expireUnread(name: RouteName, stream: StreamName, upTo: Cursor): number {
    return this.#expireUnread(this.#need(name), stream, upTo);
  }

  expireParked(name: RouteName, stream: StreamName, upTo: Cursor): number {
    return this.#expireParked(this.#need(name), stream, upTo);
  }

  parked(
    name: RouteName,
    of: Parameters<typeof inLanes>[1] & { readonly firstOfEachKeyBehind?: string | null },
    limit: number,
  ) {
    const rows = inLanes(this.#need(name).parked, of);
    const behind = of.firstOfEachKeyBehind;
    return this.#withRecords(behind === undefined ? rows : firstOfEachKey(rows, behind), limit);
  }

  parkedLanes(name: RouteName) {
    return lanesOf(this.#need(name).parked);
  }

  revived(name: RouteName, after: number, limit: number) {
    return this.#withRecords(revivedOf(this.#need(name).parked, after), limit);
  }

  /** Each is read once more, and stands behind all that is parked. */
  revive(name: RouteName, ids: readonly number[]): number {
    const row = this.#need(name);
    row.replays += 1;
    for (const letter of this.#takeDead(row, ids))
      row.parked.push({ ...letter, state: 'revived', replay: row.replays, id: this.#nextId++ });
    row.counters.read += ids.length;
    return row.replays;
  }

  drop(name: RouteName, ids: readonly number[]): void {
    this.#takeDead(this.#need(name), ids);
  }

  #takeDead(row: RouteRow, ids: readonly number[]): readonly Row[] {
    const { taken = [], left = [] } = Object.groupBy(row.parked, ({ id }) => (ids.includes(id) ? 'taken' : 'left'));
    row.parked = left;
    return taken;
  }

  #withRecords(rows: readonly Row[], limit = Number.POSITIVE_INFINITY) {
    return rows.slice(0, limit).map((row) => ({ ...row, record: this.#recordAt(row) }));
  }

  deadLetters(name: RouteName) {
    return this.#withRecords(this.#need(name).parked.filter(({ state }) => state === 'dead'));
  }

  state(name: RouteName): RouteState {
    const { cursors, counters, parked, replays, replaying } = this.#need(name);
    const lag = this.streamNames().flatMap((stream) =>
      this.read(stream, cursors.get(stream) ?? ORIGIN, Number.POSITIVE_INFINITY),
    ).length;
    return {
      route: name,
      cursors: new Map(cursors),
      counters: { ...counters },
      pending: parked.filter(({ state }) => state !== 'dead').length,
      deadLetters: parked.filter(({ state }) => state === 'dead').length,
      dropped: { byCommand: 0, byLimit: 0 },
      lag,
      waitingSince: undefined,
      replays,
      replaying: new Map(Array.from(replaying, ([stream, end]) => [stream, { ...end, left: 0 }])),
    };
  }

  /** Deletes what all open routes have passed, but for what a parked message refers to; removed routes hold nothing back. */
  retain(): void {
    const routes = [...this.#routes.values()];
    const referred = new Set(routes.flatMap(({ parked }) => parked.map((row) => placeOf(row.stream, row.cursor))));
    for (const [stream, trimmed] of this.#trimmed) {
      const cursors = routes.filter(({ open }) => open).map((row) => row.cursors.get(stream) ?? ORIGIN);
      const lowest = cursors.toSorted(compareCursors)[0];
      if (lowest === undefined) continue;
      for (const record of this.#between(stream, trimmed, lowest)) {
        if (!referred.has(placeOf(stream, record))) this.#records.splice(this.#records.indexOf(record), 1);
        this.#trimmed.set(stream, { epoch: record.epoch, position: record.position });
      }
    }
  }

  #newRoute(startFrom: 'now' | 'oldest'): RouteRow {
    const counters = { read: 0, delivered: 0, filtered: 0, limited: 0, dead: 0, expired: 0 };
    const row: RouteRow = { open: true, cursors: new Map(), counters, replays: 0, replaying: new Map(), parked: [] };
    for (const [stream, trimmed] of this.#trimmed) {
      const newest = this.#of(stream).at(-1) ?? trimmed;
      const { epoch, position } = startFrom === 'now' ? newest : trimmed;
      row.cursors.set(stream, { epoch, position });
    }
    return row;
  }

  #expire(row: RouteRow, stream: StreamName, upTo: Cursor): void {
    this.#expireUnread(row, stream, upTo);
    this.#expireParked(row, stream, upTo);
  }

  #expireUnread(row: RouteRow, stream: StreamName, upTo: Cursor): number {
    const from = row.cursors.get(stream) ?? ORIGIN;
    const skipped = this.#between(stream, from, upTo).length;
    const gone = this.#parkedUpTo(row, stream, upTo).length;
    const deleted = compareCursors(from, this.#trimmed.get(stream) ?? ORIGIN) < 0;
    if (compareCursors(upTo, from) > 0) moveOn(row, stream, upTo);
    row.counters.read += skipped;
    row.counters.expired += skipped;
    if (skipped + gone > 0 || deleted) this.#parkGap(row);
    return skipped;
  }

  #expireParked(row: RouteRow, stream: StreamName, upTo: Cursor): number {
    const gone = this.#parkedUpTo(row, stream, upTo);
    row.parked = row.parked.filter((one) => !gone.includes(one));
    row.counters.expired += gone.length;
    return gone.length;
  }

  #parkGap(row: RouteRow): void {
    const id = this.#nextId++;
    const record = { ...recordAt(1_000_000 + id, 'gap', 'x'), kind: 'gap' as const, stream: ROUTE_GAPS, epoch: id };
    this.#records.push({ ...record, position: gapPositionOf(undefined) });
    const why = {
      state: 'retry',
      reason: 'unavailable',
      detail: 'the journal was full',
      parkedAt: 0,
      replay: 0,
    } as const;
    const cursor = { epoch: id, position: gapPositionOf(undefined) };
    row.parked.push({ ...why, stream: ROUTE_GAPS, cursor, destination: '', key: 'gap', id });
    row.counters.read += 1;
  }

  #parkedUpTo(row: RouteRow, stream: StreamName, upTo: Cursor): readonly Row[] {
    return row.parked.filter(
      (one) => one.stream === stream && one.state !== 'dead' && compareCursors(one.cursor, upTo) <= 0,
    );
  }

  #recordAt({ stream, cursor }: Row): JournalRecord {
    const record = this.#of(stream).find((one) => compareCursors(one, cursor) === 0);
    if (record === undefined) throw new Error(`parked, but not in the journal: ${placeOf(stream, cursor)}`);
    return record;
  }

  #between(stream: StreamName, from: Cursor, to: Cursor): readonly JournalRecord[] {
    const behind = this.#of(stream).filter((record) => compareCursors(record, from) > 0);
    return behind.filter((record) => compareCursors(record, to) <= 0);
  }

  /** In order: nothing is ever appended below what is there. */
  #of(stream: StreamName): readonly JournalRecord[] {
    return this.#records.filter((record) => record.stream === stream);
  }

  #need(name: RouteName): RouteRow {
    const row = this.#routes.get(name);
    if (row === undefined) throw new Error(`route ${name} has not been opened`);
    return row;
  }
}

function moveOn(row: RouteRow, stream: StreamName, to: Cursor): void {
  row.cursors.set(stream, to);
  const replay = row.replaying.get(stream);
  if (replay && compareCursors(to, replay.end) >= 0) row.replaying.delete(stream);
}

function placeOf(stream: StreamName, { epoch, position }: Cursor): string {
  return `${stream} ${epoch} ${position}`;
}
