import type { ParkedMessage } from '../journal/record.ts';
import type { Decision, Route } from '../routing/route.ts';
import { type Entry, parkedEntryOf } from './entry.ts';

/** Rows loaded at once: dead letters are sent again behind and beside what is live, never instead of it. */
const PAGE = 256;
/** In hand; what died of its size may be large. */
const BYTES = 8 * 1024 * 1024;
/** Whoever asks for a dead letter wants it, however old it is: `maxAge` sees it as it was when it occurred. */
const NO_AGE = Number.NEGATIVE_INFINITY;

type Begun = { readonly entry: Entry; readonly decision: Decision };

/**
 * Dead letters that a person has had revived. Each is decided by the route as it is now, and goes the way of a record that
 * was just read: through its key's queue, so that of one object never two messages are under way; behind an open lane of
 * its destination or key; and with that into a lane, or among the dead letters again, when it fails again. What is live
 * does not wait for it.
 */
export class Revived {
  /** Until what became of them is committed. */
  readonly loaded = new Set<Entry>();
  /** The last row that was loaded. */
  after = 0;
  /** Counts what has made rows stale that the journal had been asked for. */
  round = 0;
  #mayHaveMore = true;

  /** Somebody has revived some. */
  told(): void {
    this.#mayHaveMore = true;
  }

  /** How many rows to load now; whoever asks loads them. */
  wanted(): number {
    if (!this.#mayHaveMore || this.loaded.size >= PAGE / 2) return 0;
    const bytes = [...this.loaded].reduce((sum, entry) => sum + entry.bytes, 0);
    if (bytes >= BYTES) return 0;
    this.#mayHaveMore = false;
    return PAGE;
  }

  /** The rows that were wanted in that round, and what the route says of each. */
  take(rows: readonly ParkedMessage[], round: number, route: Route): readonly Begun[] {
    if (round !== this.round) return [];
    if (rows.length > 0) this.#mayHaveMore = true;
    this.after = rows.at(-1)?.id ?? this.after;
    const inHand = new Set(Array.from(this.loaded, ({ parked }) => parked?.id));
    return rows.filter(({ id }) => !inHand.has(id)).map((row) => this.#begin(row, route));
  }

  /** Lets go of all, as a quota may have expired some; the rest is loaded again. */
  drop(): readonly Entry[] {
    const dropped = [...this.loaded];
    for (const entry of dropped) entry.effect ??= 'dropped';
    this.loaded.clear();
    this.after = 0;
    this.round += 1;
    this.#mayHaveMore = true;
    return dropped;
  }

  #begin(row: ParkedMessage, route: Route): Begun {
    const decision = route.decide(row.record, NO_AGE);
    const entry = parkedEntryOf(row, decision, { route: route.name, revived: true });
    this.loaded.add(entry);
    return { entry, decision };
  }
}
