import { expect } from 'vitest';
import { type Cursor, compareCursors, ORIGIN, type StreamName } from '../../src/envelope/position.ts';
import type { JournalRecord, RouteName, RouteState, Settlement } from '../../src/journal/record.ts';
import { ModelBroker } from './model-broker.ts';

/** The place that a letter goes to, or why it arrives nowhere; its record has it as its reason. */
export type Fate = 'x' | 'y' | 'filtered' | 'aged' | 'unroutable' | 'tooLarge' | 'refused' | 'poison';

/** What one route has promised, and whether it has kept it. */
export class Account {
  readonly broker: ModelBroker;
  /** Everything that was ever appended. */
  readonly #letters: ReadonlyMap<string, JournalRecord>;
  /** What a full journal may have let go of. */
  readonly #excused = new Set<string>();
  /** Committed. */
  readonly #receipts = new Set<string>();
  readonly #cursors = new Map<StreamName, Cursor>();
  wanted = true;
  started = false;
  /** Since it was started: a full journal has taken away what it had in hand. */
  #hasLetGo = false;

  constructor(route: RouteName, letters: ReadonlyMap<string, JournalRecord>) {
    this.#letters = letters;
    this.broker = new ModelBroker(route, ({ id }) => {
      if (this.#receipts.has(id)) throw new Error(`${id} was delivered again although its receipt is committed`);
      if (this.broker.heard.has(id) && !this.#hasLetGo) throw new Error(`${id} was delivered again without a reason`);
    });
  }

  /** A cursor that has moved while the route was away: what lay in between was let go. */
  opened(cursors: ReadonlyMap<StreamName, Cursor>): void {
    this.started = true;
    this.#hasLetGo = false;
    this.broker.heard.clear();
    for (const [stream, cursor] of cursors) {
      const before = this.#cursors.get(stream) ?? ORIGIN;
      if (compareCursors(cursor, before) > 0) this.excuse(stream, cursor);
      this.#cursors.set(stream, cursor);
    }
  }

  excuse(stream: StreamName, upTo: Cursor): void {
    for (const [id, record] of this.#letters)
      if (record.stream === stream && compareCursors(record, upTo) <= 0) this.#excused.add(id);
  }

  /** The journal is full, and asks it to let go. */
  full(): void {
    this.#hasLetGo = true;
  }

  /** After a stop that nobody cut short: what is known to be delivered is committed, but for what stands behind a hole. */
  expectReceipts(): void {
    if (this.#hasLetGo || !this.wanted) return;
    for (const id of this.broker.heard) {
      const record = this.#letters.get(id);
      if (record === undefined || this.#receipts.has(id)) continue;
      const cursor = this.#cursors.get(record.stream) ?? ORIGIN;
      const before = [...this.#letters.values()].filter(
        (one) => one.stream === record.stream && compareCursors(one, cursor) > 0 && compareCursors(one, record) < 0,
      );
      if (before.length === 0) throw new Error(`${id} was delivered, and the stop did not wait for its receipt`);
    }
  }

  /** Each receipt is for one thing that the broker has stored, and is there once. */
  committed({ receipts, cursors }: Settlement): void {
    for (const { stream, cursor, receipt } of receipts) {
      const stored = this.broker.stored[Number(receipt.at)];
      if (stored === undefined) throw new Error(`a receipt for what the broker has not stored: ${cursor.position}`);
      const record = this.#letters.get(stored.id);
      if (record && (record.stream !== stream || compareCursors(record, cursor) !== 0))
        throw new Error(`the receipt of ${stored.id} stands at ${cursor.position}`);
      if (this.#receipts.has(stored.id)) throw new Error(`two receipts for ${stored.id}`);
      this.#receipts.add(stored.id);
    }
    for (const [stream, cursor] of cursors) this.#cursors.set(stream, cursor);
  }

  /** What the next life will deliver again of what it reads: no more than the window. */
  expectWithin(window: number): void {
    const again = new Set<string>();
    for (const { id } of this.broker.stored) {
      const record = this.#letters.get(id);
      if (record === undefined || this.#receipts.has(id)) continue;
      if (compareCursors(record, this.#cursors.get(record.stream) ?? ORIGIN) > 0) again.add(id);
    }
    expect(again.size, 'repeats after a crash').toBeLessThanOrEqual(window);
  }

  judge({ counters }: RouteState, dead: ReadonlyMap<string, string>): void {
    const arrived = new Set(this.broker.stored.map(({ id }) => id));
    for (const [id, { attributes }] of this.#letters) {
      const fate = attributes.reason;
      if (this.#excused.has(id) || fate === 'filtered' || fate === 'aged') continue;
      const why = dead.get(id);
      if (!arrived.has(id) && why === undefined) throw new Error(`${id} is missing on ${this.broker.route}`);
      if (why !== undefined) expect(this.#mayDie(fate, why), `${id} (${fate}) is dead: ${why}`).toBe(true);
    }
    this.#expectOrder();
    // Gap records count too, and what they skipped cannot be told from what was left out.
    if (this.#excused.size > 0) return;
    const count = (fate: Fate) =>
      [...this.#letters.values()].filter(({ attributes }) => attributes.reason === fate).length;
    expect(counters).toEqual({
      read: this.#letters.size,
      delivered: this.#receipts.size,
      filtered: count('filtered'),
      limited: 0,
      dead: dead.size,
      expired: count('aged'),
    });
  }

  /** Of each object and destination, after dropping repeats. */
  #expectOrder(): void {
    const last = new Map<string, JournalRecord>();
    const seen = new Set<string>();
    for (const { id, place, key } of this.broker.stored) {
      const record = this.#letters.get(id);
      if (record === undefined || seen.has(`${place} ${id}`)) continue;
      seen.add(`${place} ${id}`);
      const before = last.get(`${place} ${key}`);
      if (before && compareCursors(before, record) >= 0)
        throw new Error(`${id} came after ${before.attributes.id} at ${place}`);
      last.set(`${place} ${key}`, record);
    }
  }

  #mayDie(fate: string | undefined, why: string): boolean {
    const { hasBroken, hasRejected } = this.broker;
    if (why === 'breaks-connection') return fate === 'poison' || hasBroken;
    if (why === 'invalid-message') return fate === 'refused' || hasRejected;
    return (why === 'too-large' && fate === 'tooLarge') || (why === 'invalid-destination' && fate === 'unroutable');
  }
}
