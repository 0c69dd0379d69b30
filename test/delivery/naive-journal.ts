import type { Cursor, StreamName } from '../../src/envelope/position.ts';
import {
  compareCursors,
  gapPositionOf,
  type Position,
  positionOf,
  type ResourceVersion,
} from '../../src/envelope/position.ts';
import type { Counters, JournalRecord, Parked, ParkedMessage, Settlement } from '../../src/journal/record.ts';

export const STREAM = '_all' as StreamName;

export function recordAt(rv: number, key: string, reason: string): JournalRecord {
  const version = String(rv) as ResourceVersion;
  const position = positionOf(version);
  const data = new TextEncoder().encode(JSON.stringify({ reason, rv }));
  return {
    stream: STREAM,
    epoch: 0,
    position,
    kind: 'event',
    key,
    origin: 'live',
    attributes: {
      specversion: '1.0',
      id: `uid.${rv}`,
      source: '/clusters/test',
      type: 'kube-fanout.event.v1',
      subject: key,
      partitionkey: key,
      time: '2026-01-01T00:00:00Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:kube-fanout:event:v1',
      sequence: position,
      cluster: 'test',
      reason,
      recordedtime: '2026-01-01T00:00:00Z',
    },
    data,
    appendedAt: 0,
    intact: true,
  };
}

/** A journal of one stream and one route, in arrays: what the real one must amount to, written as plainly as possible. */
export class NaiveJournal {
  readonly records: JournalRecord[];
  readonly #gaps: JournalRecord[] = [];
  cursor: Cursor = { epoch: 0, position: gapPositionOf(undefined) };
  counters: Counters = { read: 0, delivered: 0, filtered: 0, limited: 0, dead: 0, expired: 0 };
  parked: (Parked & { readonly id: number })[] = [];
  /** Positions that a full journal has let go of. */
  readonly expired = new Set<string>();
  #nextId = 1;

  constructor(records: readonly JournalRecord[]) {
    this.records = [...records];
  }

  after(position: Position, limit: number): readonly JournalRecord[] {
    return this.records.filter((record) => record.position > position).slice(0, limit);
  }

  get pending(): readonly (Parked & { readonly id: number })[] {
    return this.parked.filter(({ state }) => state !== 'dead');
  }

  settle(settlement: Settlement): void {
    const to = settlement.cursors.get(STREAM);
    if (to) {
      if (compareCursors(to, this.cursor) <= 0) throw new Error('the cursor went back');
      this.cursor = to;
    }
    const sum = { ...this.counters };
    for (const [name, n] of Object.entries(settlement.counters)) sum[name as keyof Counters] += n ?? 0;
    this.counters = sum;
    this.parked = this.parked.filter(({ id }) => !settlement.unparked.includes(id));
    for (const parked of settlement.parked) this.parked.push({ ...parked, id: this.#nextId++ });
  }

  /** Lets go of the oldest, and parks a gap that says so; returns how many records that adds to read. */
  expire(upTo: Cursor): number {
    const skipped = this.records.filter(
      (record) => compareCursors(record, this.cursor) > 0 && compareCursors(record, upTo) <= 0,
    );
    const gone = this.pending.filter(({ stream, cursor }) => stream === STREAM && compareCursors(cursor, upTo) <= 0);
    for (const { cursor } of [...skipped.map((cursor) => ({ cursor })), ...gone]) this.expired.add(cursor.position);
    if (compareCursors(upTo, this.cursor) > 0) this.cursor = upTo;
    this.parked = this.parked.filter((row) => !gone.includes(row));
    const expired = this.counters.expired + skipped.length + gone.length;
    this.counters = { ...this.counters, expired, read: this.counters.read + skipped.length + 1 };
    const gap = { ...recordAt(1_000_000 + this.#nextId, 'gap', 'x'), stream: '_gaps' as StreamName };
    this.#gaps.push(gap);
    const { stream, epoch, position } = gap;
    const why = {
      state: 'retry',
      reason: 'unavailable',
      detail: 'the journal was full',
      parkedAt: 0,
      replay: 0,
    } as const;
    const place = { stream, cursor: { epoch, position }, destination: '', key: 'gap' };
    this.parked.push({ ...why, ...place, id: this.#nextId++ });
    return 1;
  }

  rows(destination: string, key: string | undefined, after: number, limit: number): readonly ParkedMessage[] {
    return this.#parkedAt(destination)
      .filter((row) => (key === undefined || row.key === key) && row.id > after)
      .slice(0, limit);
  }

  firstOfEachKey(destination: string, behind: string | undefined, limit: number): readonly ParkedMessage[] {
    const rows = this.#parkedAt(destination).toReversed();
    const firsts = [...new Map(rows.map((row) => [row.key, row])).values()];
    const rest = firsts.filter(({ key }) => behind === undefined || key > behind);
    return rest.toSorted((a, b) => (a.key < b.key ? -1 : 1)).slice(0, limit);
  }

  #parkedAt(destination: string): readonly ParkedMessage[] {
    return this.pending
      .filter((row) => row.destination === destination)
      .map((row) => {
        const record = [...this.records, ...this.#gaps].find(({ position }) => position === row.cursor.position);
        if (record === undefined) throw new Error('a parked message without its record');
        return { ...row, record };
      });
  }
}
