import type { Destination } from '../adapter.ts';
import { type Cursor, compareCursors, type StreamName } from '../envelope/position.ts';
import { type Entry, parksAt } from './entry.ts';

/** Records in a row that are not published: they hold no memory of their own, only their counts. */
interface Skipped {
  readonly first: Cursor;
  cursor: Cursor;
  read: number;
  filtered: number;
  expired: number;
}

interface Place extends Cursor {
  readonly stream: StreamName;
}

type Slot = { readonly entry: Entry } | { readonly skipped: Skipped };

/** A settled prefix of each stream: how far the cursors may go, and what was passed on the way. */
export interface Taken {
  readonly cursors: ReadonlyMap<StreamName, Cursor>;
  readonly entries: readonly Entry[];
  readonly read: number;
  readonly filtered: number;
  readonly expired: number;
}

export interface WindowLimit {
  readonly records: number;
  readonly bytes: number;
}

/**
 * What a route has read and not yet committed.
 *
 * Entries come in each stream's order and settle in any order. The cursor may only ever pass what is settled, so an
 * entry's effect waits here until everything before it in its stream has one too; then cursor, counters, receipts and
 * parked messages leave together, as one settlement (settlement.ts). That makes the counters add up at every commit, and it bounds what
 * a crash repeats: at most this window.
 */
export class Window {
  readonly #limit: WindowLimit;
  readonly #streams = new Map<StreamName, Slot[]>();
  #records = 0;
  #bytes = 0;

  constructor(limit: WindowLimit) {
    this.#limit = limit;
  }

  get records(): number {
    return this.#records;
  }

  /** For a whole page, or the window would be as much larger, and with it what a crash repeats. */
  get hasRoom(): boolean {
    const { records, bytes } = this.page;
    return this.#records + records <= this.#limit.records && this.#bytes + bytes <= this.#limit.bytes;
  }

  /** What is to be read at once. */
  get page(): WindowLimit {
    return { records: Math.ceil(this.#limit.records / 8), bytes: Math.ceil(this.#limit.bytes / 4) };
  }

  add(entry: Entry): void {
    this.#slots(entry.stream).push({ entry });
    this.#records += 1;
    this.#bytes += entry.bytes;
  }

  /** True for the first one in a row: the others only lengthen what is known to wait. */
  skip({ stream, epoch, position }: Place, as: 'filtered' | 'expired'): boolean {
    const slots = this.#slots(stream);
    const last = slots.at(-1);
    const cursor = { epoch, position };
    const isFirst = !last || 'entry' in last;
    const skipped = isFirst ? { first: cursor, cursor, read: 0, filtered: 0, expired: 0 } : last.skipped;
    skipped.cursor = cursor;
    skipped.read += 1;
    skipped[as] += 1;
    if (isFirst) slots.push({ skipped });
    return isFirst;
  }

  /** Takes every settled prefix out, or returns undefined when there is none. Its room is free when it is committed. */
  take(): Taken | undefined {
    const taken = { cursors: new Map<StreamName, Cursor>(), entries: [] as Entry[], read: 0, filtered: 0, expired: 0 };
    for (const [stream, slots] of this.#streams) {
      const end = slots.findIndex(isOpen);
      for (const slot of slots.splice(0, end < 0 ? slots.length : end)) {
        taken.cursors.set(stream, cursorOf(slot));
        if ('skipped' in slot) {
          taken.read += slot.skipped.read;
          taken.filtered += slot.skipped.filtered;
          taken.expired += slot.skipped.expired;
        } else {
          taken.read += 1;
          taken.entries.push(slot.entry);
        }
      }
    }
    if (taken.cursors.size === 0) return undefined;
    return taken;
  }

  /** What could be taken: `skipped` when it is no more than a cursor's way past what is not published. */
  get pending(): 'delivered' | 'skipped' | undefined {
    let found: 'skipped' | undefined;
    for (const [first, second] of this.#streams.values()) {
      if (first === undefined || isOpen(first)) continue;
      if ('entry' in first || (second !== undefined && !isOpen(second))) return 'delivered';
      found = 'skipped';
    }
    return found;
  }

  committed({ entries }: Taken): void {
    for (const entry of entries) this.#forget(entry);
  }

  /** Whether something that is about to be parked there still waits for its turn to be committed. */
  willPark(destination: Destination, key: string | undefined): boolean {
    for (const slots of this.#streams.values()) {
      if (slots.some((slot) => 'entry' in slot && parksAt(slot.entry, destination, key))) return true;
    }
    return false;
  }

  /** Lets go of everything in the stream up to `upTo`, or to the end of a row of skipped records that reaches farther. */
  drop(stream: StreamName, upTo: Cursor): { readonly entries: readonly Entry[]; readonly upTo: Cursor } {
    const slots = this.#slots(stream);
    const cut = slots.findIndex(
      (slot) => compareCursors('entry' in slot ? slot.entry.cursor : slot.skipped.first, upTo) > 0,
    );
    const dropped = slots.splice(0, cut < 0 ? slots.length : cut);
    const last = dropped.at(-1);
    const entries = dropped.flatMap((slot) => ('entry' in slot ? slot.entry : []));
    for (const entry of entries) {
      this.#forget(entry);
      entry.effect = 'dropped';
    }
    return { entries, upTo: last && compareCursors(cursorOf(last), upTo) > 0 ? cursorOf(last) : upTo };
  }

  #slots(stream: StreamName): Slot[] {
    const slots = this.#streams.get(stream) ?? [];
    this.#streams.set(stream, slots);
    return slots;
  }

  #forget(entry: Entry): void {
    this.#records -= 1;
    this.#bytes -= entry.bytes;
  }
}

/** Nothing behind it can be committed. */
function isOpen(slot: Slot): boolean {
  return 'entry' in slot && slot.entry.effect === undefined;
}

function cursorOf(slot: Slot): Cursor {
  return 'entry' in slot ? slot.entry.cursor : slot.skipped.cursor;
}
