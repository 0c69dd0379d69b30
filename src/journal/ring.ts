/**
 * The newest records of all streams in memory, so that routes at the tail read without a query, and share the objects.
 *
 * A tail is a promise about a stream: it holds every readable record behind `from`. It grows only by records that come
 * in order with nothing unread between; whatever else happens (a list's rows becoming readable at once, a late row, a
 * new epoch behind hidden rows), the tail is given up, and a new one begins at the watermark.
 */
import { type Cursor, compareCursors, type StreamName } from '../envelope/position.ts';
import { pageBehind } from './page.ts';
import type { Limit } from './protocol.ts';
import type { JournalRecord, StreamState } from './record.ts';
import { visibleEnd } from './watermark.ts';

interface Tail {
  /** Every readable record behind it is in `records`. */
  from: Cursor;
  end: Cursor;
  /** Up to where the stream could be read when the tail last changed. */
  visible: Cursor;
  /** Rows stand above the watermark, unknown to the tail. */
  hidden: boolean;
  records: JournalRecord[];
  /** Index of the oldest record still held. */
  head: number;
}

/** What a record takes in memory beside its data: its attributes, key and the objects themselves, roughly. */
const OVERHEAD = 2_048;

export class TailRing {
  readonly #maxBytes: number;
  readonly #tails = new Map<StreamName, Tail>();
  /** The tail of each record held, oldest first. */
  #order: Tail[] = [];
  #oldest = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes up what one commit has brought to a stream: its new state and those records that were not there before. False
   * when its tail was given up.
   */
  advance(state: StreamState, added: readonly JournalRecord[], hidden: boolean): boolean {
    const visible = visibleEnd(state);
    const readable = added.filter((record) => compareCursors(record, visible) <= 0).sort(compareCursors);
    const tail = this.#tails.get(state.stream);
    const [first] = readable;
    const revealed = tail?.hidden && compareCursors(tail.visible, visible) !== 0;
    if (!tail || revealed || (first && compareCursors(first, tail.end) <= 0)) {
      this.#restart(state.stream, visible, hidden);
      return false;
    }
    tail.hidden = hidden;
    tail.visible = visible;
    for (const record of readable) this.#push(tail, record);
    this.#evict();
    return true;
  }

  /** Records behind `after`, or undefined when only the file can tell. */
  read(stream: StreamName, after: Cursor, limit: Limit): readonly JournalRecord[] | undefined {
    const tail = this.#tails.get(stream);
    if (!tail || compareCursors(after, tail.from) < 0) return undefined;
    return pageBehind(tail.records, { head: tail.head, after, limit });
  }

  #restart(stream: StreamName, visible: Cursor, hidden: boolean): void {
    const old = this.#tails.get(stream);
    if (old) {
      for (let at = old.head; at < old.records.length; at += 1) this.#bytes -= sizeOf(old.records[at]);
      this.#order = this.#order.slice(this.#oldest).filter((tail) => tail !== old);
      this.#oldest = 0;
    }
    this.#tails.set(stream, { from: visible, end: visible, visible, hidden, records: [], head: 0 });
  }

  #push(tail: Tail, record: JournalRecord): void {
    tail.records.push(record);
    tail.end = record;
    this.#order.push(tail);
    this.#bytes += sizeOf(record);
  }

  #evict(): void {
    while (this.#bytes > this.#maxBytes) {
      const tail = this.#order[this.#oldest];
      if (tail === undefined) break;
      this.#oldest += 1;
      const record = tail.records[tail.head];
      if (record === undefined) break;
      tail.head += 1;
      tail.from = { epoch: record.epoch, position: record.position };
      this.#bytes -= sizeOf(record);
      if (tail.head > 64 && tail.head * 2 > tail.records.length) {
        tail.records = tail.records.slice(tail.head);
        tail.head = 0;
      }
    }
    if (this.#oldest > 1_024 && this.#oldest * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}

function sizeOf(record: JournalRecord | undefined): number {
  return record === undefined ? 0 : record.data.length + OVERHEAD;
}
