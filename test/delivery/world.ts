import pino from 'pino';
import { expect, vi } from 'vitest';
import type { Capabilities, Outcome } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { Bell } from '../../src/delivery/bell.ts';
import type { Entry } from '../../src/delivery/entry.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import type { JournalRecord, RouteName } from '../../src/journal/record.ts';
import type { Decision, Route } from '../../src/routing/route.ts';
import { NaiveJournal, recordAt } from './naive-journal.ts';

export const PLACES = ['x', 'y'];

/** A message, and what is to become of it: the place that it goes to, or why it arrives nowhere. */
export interface Letter {
  readonly key: string;
  readonly fate: 'x' | 'y' | 'filtered' | 'tooLarge' | 'poison';
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
  #ledger: Ledger;
  #generation = 0;
  #flying: (readonly Entry[])[] = [];
  #read = '';
  readonly #letters: readonly Letter[];
  readonly #ordered: boolean;

  constructor(letters: readonly Letter[], ordered: boolean) {
    this.#letters = letters;
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
    for (const { destination, key, state } of this.journal.pending) {
      if (state !== 'dead') ledger.reopen(destination, key, state);
    }
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
    while (this.#ledger.hasRoom) {
      const [record] = this.journal.after(this.#read as never, 1);
      if (record === undefined) break;
      this.#ledger.admit(record);
      this.#read = record.position;
    }
    if (!this.#ledger.hasRoom) this.#ledger.relieve();
    const batch = this.#ledger.nextBatch(this.#flying.length);
    if (batch.length > 0) this.#flying.push(batch);
    else this.#land();
    this.#commit();
    if (!this.#ledger.stopped) this.#loadLanes();
  }

  #land(): void {
    const batch = this.#flying.shift();
    if (batch === undefined) return;
    if (this.breaks > 0 || batch.some(({ message }) => message.attributes.reason === 'poison')) {
      this.breaks = Math.max(0, this.breaks - 1);
      for (const lost of [batch, ...this.#flying.splice(0)]) this.#ledger.landed(lost, undefined, this.#generation);
      this.#generation += 1;
      return;
    }
    const failed = new Set<string>();
    const outcomes = batch.map((entry): Outcome => {
      const outcome = failed.has(entry.key) ? SIBLING : this.#answer(entry);
      if (outcome.kind !== 'delivered') failed.add(entry.key);
      return outcome;
    });
    this.#ledger.landed(batch, outcomes, this.#generation);
  }

  #answer({ destination, key, message }: Entry): Outcome {
    if (message.attributes.reason === 'tooLarge') return reject('adapter');
    const place = this.places.get(destination);
    if (place === 'missing') return { kind: 'held', reason: 'no-such-destination', detail: '' };
    if (place === 'throttled') return { kind: 'retry', reason: 'throttled', detail: '' };
    if (place === 'rejecting') return reject('broker');
    this.arrived.push({ place: destination, key, sequence: message.attributes.sequence });
    return { kind: 'delivered', receipt: {} };
  }

  #commit(): void {
    const ready = this.#ledger.settlement();
    if (ready === undefined) return;
    this.journal.settle(ready.settlement);
    ready.committed();
    const { read, delivered, filtered, limited, dead, expired } = this.journal.counters;
    expect(read).toBe(delivered + filtered + limited + dead + expired + this.journal.pending.length);
  }

  #loadLanes(): void {
    for (const lane of this.#ledger.lanes) {
      const wanted = lane.wants(systemClock.steady());
      if (wanted === 0) continue;
      const rows = this.journal.rows(lane.destination, lane.key, lane.after, wanted);
      this.#ledger.load(lane, rows);
    }
  }

  get done(): boolean {
    return this.journal.counters.read === this.#letters.length && this.journal.pending.length === 0;
  }

  heal(): void {
    this.breaks = 0;
    for (const place of PLACES) this.places.set(place, 'open');
    for (let round = 0; round < 5_000 && !this.done; round += 1) {
      this.work();
      if (round % 10 === 0) vi.advanceTimersByTime(1_000);
    }
  }
}

const SIBLING: Outcome = { kind: 'retry', reason: 'sibling-failed', detail: '' };

function reject(judge: 'adapter' | 'broker'): Outcome {
  return { kind: 'reject', reason: judge === 'adapter' ? 'too-large' : 'invalid-message', detail: '', judge };
}
