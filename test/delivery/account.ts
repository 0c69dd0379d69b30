import { expect } from 'vitest';
import { type Cursor, compareCursors, ORIGIN, type StreamName } from '../../src/envelope/position.ts';
import type {
  JournalRecord,
  ReplayEnd,
  ReplayedStream,
  RouteName,
  RouteState,
  Settlement,
} from '../../src/journal/record.ts';
import { letterName, ModelBroker } from './model-broker.ts';
import type { Revival } from './model-store.ts';

/** The place that a letter goes to, or why it arrives nowhere; its record has it as its reason. */
export type Fate = 'x' | 'y' | 'filtered' | 'aged' | 'unroutable' | 'tooLarge' | 'refused' | 'poison';

/** What one route has promised, and whether it has kept it. */
export class Account {
  readonly broker: ModelBroker;
  /** Everything that was ever appended. */
  readonly #letters: ReadonlyMap<string, JournalRecord>;
  /** What a full journal may have let go of. */
  readonly #excused = new Set<string>();
  /** By name, and committed. */
  readonly #receipts = new Set<string>();
  /** All that was ever to be sent again, by its name; and what of it must have come in the end. */
  readonly #replayed = new Map<string, JournalRecord>();
  readonly #due = new Set<string>();
  /** What a cursor that was moved back passes once more. */
  readonly #readAgain: JournalRecord[] = [];
  readonly #asked = new Set<string>();
  /** Names of dead letters that were revived or dropped; and the order of those of each revival. */
  readonly #gone = new Set<string>();
  /** A record may die twice under one name: behind the end of a replay it is read again as if for the first time. */
  #goneLetters = 0;
  readonly #revivals = new Map<number, ReadonlyMap<string, number>>();
  readonly #ends = new Map<StreamName, ReplayEnd>();
  /** What was stored before that is not a crash's fault. */
  #before = 0;
  readonly #cursors = new Map<StreamName, Cursor>();
  wanted = true;
  started = false;
  /** Since it was started: a full journal has taken away what it had in hand. */
  #hasLetGo = false;

  constructor(route: RouteName, letters: ReadonlyMap<string, JournalRecord>) {
    this.#letters = letters;
    this.broker = new ModelBroker(route, ({ name, replay }) => {
      if (this.#receipts.has(name)) throw new Error(`${name} was delivered again although its receipt is committed`);
      if (this.broker.heard.has(name) && !this.#hasLetGo)
        throw new Error(`${name} was delivered again without a reason`);
      if (replay > 0 && !this.#replayed.has(name) && !this.#asked.has(name))
        throw new Error(`${name} is a replay that nobody has asked for`);
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

  /** What is read again behind the new cursor: marked up to where the old one stood, and as if for the first time behind it. */
  replayed(streams: readonly ReplayedStream[]): void {
    this.broker.heard.clear();
    this.#before = this.broker.stored.length;
    for (const { stream, cursor, end, number, askedAt } of streams) {
      const stood = this.#cursors.get(stream) ?? ORIGIN;
      for (const name of this.#due) {
        const record = this.#replayed.get(name);
        if (record?.stream === stream && compareCursors(record, stood) > 0) this.#due.delete(name);
      }
      for (const [id, record] of this.#letters) {
        if (record.stream !== stream || compareCursors(record, cursor) <= 0) continue;
        if (compareCursors(record, stood) <= 0) this.#readAgain.push(record);
        if (compareCursors(record, end) > 0) continue;
        this.#replayed.set(letterName(id, number), record);
        this.#due.add(letterName(id, number));
      }
      this.#cursors.set(stream, cursor);
      this.#ends.set(stream, { end, number, askedAt });
    }
  }

  /** Each died under its name, and has to come, or to die again, under that number, in that order. */
  revived({ number, letters }: Revival): void {
    const order = new Map<string, number>();
    for (const { id, name } of letters) {
      const again = letterName(id, number);
      const record = this.#letters.get(id);
      order.set(id, order.size);
      this.#gone.add(name);
      this.#goneLetters += 1;
      // Of a gap record of the route's own nobody keeps an account.
      this.#asked.add(again);
      if (record === undefined) continue;
      this.#replayed.set(again, record);
      this.#due.add(again);
    }
    this.#revivals.set(number, order);
  }

  dropped(names: readonly string[]): void {
    for (const name of names) this.#gone.add(name);
    this.#goneLetters += names.length;
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
    for (const name of this.broker.heard) {
      const record = this.#letters.get(name) ?? this.#replayed.get(name);
      if (record === undefined || this.#receipts.has(name)) continue;
      const cursor = this.#cursors.get(record.stream) ?? ORIGIN;
      const before = [...this.#letters.values()].filter(
        (one) => one.stream === record.stream && compareCursors(one, cursor) > 0 && compareCursors(one, record) < 0,
      );
      if (before.length === 0) throw new Error(`${name} was delivered, and the stop did not wait for its receipt`);
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
      if (this.#receipts.has(stored.name)) throw new Error(`two receipts for ${stored.name}`);
      this.#receipts.add(stored.name);
    }
    for (const [stream, cursor] of cursors) this.#cursors.set(stream, cursor);
  }

  /** What the next life will deliver again of what it reads: no more than the window. */
  expectWithin(window: number): void {
    const again = new Set<string>();
    for (const { id, name } of this.broker.stored.slice(this.#before)) {
      const record = this.#letters.get(id);
      if (record === undefined || this.#receipts.has(name)) continue;
      // What was parked before a replay has another name.
      const isRead = compareCursors(record, this.#cursors.get(record.stream) ?? ORIGIN) > 0;
      if (isRead && name === this.#nameOf(id, record)) again.add(name);
    }
    expect(again.size, 'repeats after a crash').toBeLessThanOrEqual(window);
  }

  /** What it is called when the cursor comes to it. */
  #nameOf(id: string, record: JournalRecord): string {
    const replay = this.#ends.get(record.stream);
    return letterName(id, replay && compareCursors(record, replay.end) <= 0 ? replay.number : 0);
  }

  judge({ counters, deadLetters }: RouteState, dead: ReadonlyMap<string, string>): void {
    const arrived = new Set(this.broker.stored.map(({ name }) => name));
    const replayed = [...this.#replayed].filter(([name]) => this.#due.has(name));
    for (const [name, { attributes }] of [...this.#letters, ...replayed]) {
      const fate = attributes.reason;
      if (this.#excused.has(attributes.id) || this.#gone.has(name) || fate === 'filtered' || fate === 'aged') continue;
      const why = dead.get(name);
      if (!arrived.has(name) && why === undefined) throw new Error(`${name} is missing on ${this.broker.route}`);
      if (why !== undefined) expect(this.#mayDie(fate, why), `${name} (${fate}) is dead: ${why}`).toBe(true);
    }
    this.#expectOrder();
    // Gap records count too, and what they skipped cannot be told from what was left out.
    if (this.#excused.size > 0) return;
    const passed = [...this.#letters.values(), ...this.#readAgain];
    const count = (fate: Fate) => passed.filter(({ attributes }) => attributes.reason === fate).length;
    expect(counters).toEqual({
      read: passed.length + this.#asked.size,
      delivered: this.#receipts.size,
      filtered: count('filtered'),
      limited: 0,
      dead: deadLetters + this.#goneLetters,
      expired: count('aged'),
    });
  }

  /** Of each object, destination and replay, after dropping repeats. */
  #expectOrder(): void {
    const last = new Map<string, JournalRecord>();
    const seen = new Set<string>();
    for (const { id, replay, name, place, key } of this.broker.stored) {
      const record = this.#letters.get(id);
      if (record === undefined || seen.has(`${place} ${name}`)) continue;
      seen.add(`${place} ${name}`);
      const before = last.get(`${place} ${key} ${replay}`);
      const order = this.#revivals.get(replay);
      const inOrder = order
        ? (one: JournalRecord) => (order.get(one.attributes.id) ?? 0) < (order.get(id) ?? 0)
        : (one: JournalRecord) => compareCursors(one, record) < 0;
      if (before && !inOrder(before)) throw new Error(`${name} came after ${before.attributes.id} at ${place}`);
      last.set(`${place} ${key} ${replay}`, record);
    }
  }

  #mayDie(fate: string | undefined, why: string): boolean {
    const { hasBroken, hasRejected } = this.broker;
    if (why === 'breaks-connection') return fate === 'poison' || hasBroken;
    if (why === 'invalid-message') return fate === 'refused' || hasRejected;
    return (why === 'too-large' && fate === 'tooLarge') || (why === 'invalid-destination' && fate === 'unroutable');
  }
}
