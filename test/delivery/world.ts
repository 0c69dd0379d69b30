import pino from 'pino';
import { expect, vi } from 'vitest';
import type { Capabilities, Outcome } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { Bell } from '../../src/delivery/bell.ts';
import type { Entry } from '../../src/delivery/entry.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import type { Lane } from '../../src/delivery/parked-lanes.ts';
import type { Cursor } from '../../src/envelope/position.ts';
import type { JournalRecord, RouteName } from '../../src/journal/record.ts';
import type { Decision, Route } from '../../src/routing/route.ts';
import { NaiveJournal, recordAt, STREAM } from './naive-journal.ts';

export const PLACES = ['x', 'y'];

/** A message, and what is to become of it: the place that it goes to, or why it arrives nowhere. */
export interface Letter {
  readonly key: string;
  readonly fate: 'x' | 'y' | 'filtered' | 'tooLarge' | 'refused' | 'poison';
}

/**
 * A ledger between a naive journal and a naive broker: a broker whose places come and go and whose connection breaks, and
 * a daemon that can be killed at any step. Time is vitest's.
 */
export class World {
  readonly journal: NaiveJournal;
  readonly arrived: { readonly place: string; readonly key: string; readonly sequence: string }[] = [];
  readonly places = new Map(PLACES.map((place) => [place, 'open']));
  breaks = 0;
  /** The largest batch so far. */
  widest = 0;
  #ledger: Ledger;
  /** Rows of lanes that the journal has been asked for, and that come a round later. */
  #asked: (() => void)[] = [];
  #quota: Cursor | undefined;
  #generation = 0;
  #flying: (readonly Entry[])[] = [];
  #read = '';
  #letters: number;
  readonly #ordered: boolean;

  constructor(letters: readonly Letter[], ordered: boolean) {
    this.#letters = letters.length;
    this.#ordered = ordered;
    this.journal = new NaiveJournal(letters.map(({ key, fate }, i) => recordAt(i + 1, key, fate)));
    this.#ledger = this.#start();
  }

  #start(): Ledger {
    const capabilities: Capabilities = {
      orderedBatches: this.#ordered,
      batchSize: 4,
      parallelism: 2,
      knowsDestinations: true,
      stores: true,
      deduplicates: false,
      mode: 'binary',
    };
    const ledger = new Ledger({
      route: this.#route(),
      capabilities,
      window: { records: 10, bytes: 1_000_000 },
      bell: new Bell(),
      log: pino({ level: 'silent' }),
      clock: systemClock,
    });
    for (const { state, ...rest } of this.journal.pending) {
      if (state !== 'dead') ledger.lanes.reopen({ ...rest, state });
    }
    this.#asked = [];
    this.#read = this.journal.cursor.position;
    this.#flying = [];
    return ledger;
  }

  #route(): Route {
    const decide = ({ key, attributes: { reason } }: JournalRecord): Decision =>
      reason === 'filtered' ? { kind: 'filtered' } : { kind: 'publish', destination: reason === 'y' ? 'y' : 'x', key };
    const name = 'r' as RouteName;
    return { name, broker: 'b', startFrom: 'oldest', atQuota: 'expire', constantDestination: undefined, decide };
  }

  crash(): void {
    this.#ledger[Symbol.dispose]();
    this.#ledger = this.#start();
  }

  /** One round of what the worker's three loops do. */
  work(): void {
    while (this.#ledger.window.hasRoom) {
      const [record] = this.journal.after(this.#read as never, 1);
      if (record === undefined) break;
      this.#ledger.admit(record, 0);
      this.#read = record.position;
    }
    if (!this.#ledger.window.hasRoom) this.#ledger.relieve();
    const batch = this.#ledger.nextBatch(this.#flying.length);
    this.widest = Math.max(this.widest, batch.length);
    if (batch.length > 0) this.#flying.push(batch);
    else this.#land();
    const asked = this.#asked.splice(0);
    for (const load of asked) load();
    if (asked.length > 0 || this.#commit()) return;
    if (this.#quota) this.#expire(this.#quota);
    this.#askLanes();
  }

  #land(): void {
    const batch = this.#flying.shift();
    if (batch === undefined) return;
    if (this.breaks > 0 || batch.some(({ message }) => message.attributes.reason === 'poison')) {
      this.breaks = Math.max(0, this.breaks - 1);
      for (const lost of [batch, ...this.#flying.splice(0)])
        this.#ledger.landed(lost, undefined, { generation: this.#generation, tookMs: 0 });
      this.#generation += 1;
      return;
    }
    const failed = new Set<string>();
    const outcomes = batch.map((entry): Outcome => {
      const outcome = failed.has(entry.key) ? SIBLING : this.#answer(entry);
      if (outcome.kind !== 'delivered') failed.add(entry.key);
      return outcome;
    });
    this.#ledger.landed(batch, outcomes, { generation: this.#generation, tookMs: 0 });
  }

  #answer({ destination, key, message }: Entry): Outcome {
    if (message.attributes.reason === 'tooLarge') return reject('adapter');
    const place = this.places.get(destination);
    if (place === 'missing') return { kind: 'held', reason: 'no-such-destination', detail: '' };
    if (place === 'throttled') return { kind: 'retry', reason: 'throttled', detail: '', afterMs: 3_000 };
    if (place === 'rejecting' || message.attributes.reason === 'refused') return reject('broker');
    this.arrived.push({ place: destination, key, sequence: message.attributes.sequence });
    return { kind: 'delivered', receipt: {} };
  }

  #commit(): boolean {
    const ready = this.#ledger.settlement();
    if (ready === undefined) return false;
    this.journal.settle(ready.settlement);
    ready.committed();
    this.#balance();
    return true;
  }

  #balance(): void {
    const { read, delivered, filtered, limited, dead, expired } = this.journal.counters;
    expect(read).toBe(delivered + filtered + limited + dead + expired + this.journal.pending.length);
  }

  /** The journal is full: the oldest so many records, of those that may be read, have to go. */
  full(records: number): void {
    const last = this.journal.records.slice(0, records).at(-1);
    this.#quota = last && { epoch: last.epoch, position: last.position };
  }

  #expire(asked: Cursor): void {
    this.#quota = undefined;
    const upTo = this.#ledger.drop(STREAM, asked);
    this.#letters += this.journal.expire(upTo);
    if (this.#read < upTo.position) this.#read = upTo.position;
    for (const { state, ...rest } of this.journal.pending) {
      if (state !== 'dead') this.#ledger.lanes.reopen({ ...rest, state });
    }
    this.#balance();
  }

  /** Letters that come later. */
  send(letters: readonly Letter[]): void {
    const from = this.journal.records.length;
    for (const [i, { key, fate }] of letters.entries()) this.journal.records.push(recordAt(from + i + 1, key, fate));
    this.#letters += letters.length;
  }

  #askLanes(): void {
    for (const lane of this.#ledger.lanes) {
      const wanted = lane.wants(systemClock.steady());
      if (wanted === 0) continue;
      const { round } = lane;
      const rows = this.#rowsOf(lane, wanted);
      if (rows.length === 0 && lane.probedKey !== undefined) {
        lane.probedKey = undefined;
        continue;
      }
      this.#asked.push(() => this.#ledger.load(lane, rows, round));
    }
  }

  #rowsOf({ destination, key, after, flowing, probedKey }: Lane, wanted: number) {
    if (key !== undefined || flowing) return this.journal.rows(destination, key, after, wanted);
    return this.journal.firstOfEachKey(destination, probedKey, wanted);
  }

  get done(): boolean {
    return this.journal.counters.read === this.#letters && this.journal.pending.length === 0;
  }

  heal(rounds = 5_000): void {
    this.breaks = 0;
    for (const place of PLACES) this.places.set(place, 'open');
    for (let round = 0; round < rounds && !this.done; round += 1) {
      this.work();
      // What the broker refuses is believed to be at fault only while others pass.
      if (round % 200 === 199) this.send(PLACES.map((place) => ({ key: `news ${round}`, fate: place as 'x' })));
      if (round % 10 === 0) vi.advanceTimersByTime(1_000);
    }
  }
}

const SIBLING: Outcome = { kind: 'retry', reason: 'sibling-failed', detail: '' };

function reject(judge: 'adapter' | 'broker'): Outcome {
  return { kind: 'reject', reason: judge === 'adapter' ? 'too-large' : 'invalid-message', detail: '', judge };
}
