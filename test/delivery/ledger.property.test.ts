import fc from 'fast-check';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Capabilities, Outcome } from '../../src/adapter.ts';
import { Bell } from '../../src/delivery/bell.ts';
import type { Entry } from '../../src/delivery/entry.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import type { JournalRecord, RouteName } from '../../src/journal/record.ts';
import type { Decision, Route } from '../../src/routing/route.ts';
import { NaiveJournal, recordAt, STREAM } from './naive-journal.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const KEYS = ['a', 'b', 'c'];
const PLACES = ['x', 'y'];

/** A broker whose destinations come and go, and a daemon that is killed now and then. */
type Move =
  | { readonly do: 'work'; readonly steps: number }
  | { readonly do: 'set'; readonly place: string; readonly to: 'open' | 'missing' | 'throttled' | 'rejecting' }
  | { readonly do: 'break'; readonly times: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'crash' };

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('work' as const), steps: fc.integer({ min: 1, max: 12 }) }) },
  fc.record({
    do: fc.constant('set' as const),
    place: fc.constantFrom(...PLACES),
    to: fc.constantFrom('open', 'missing', 'throttled', 'rejecting'),
  }),
  fc.record({ do: fc.constant('break' as const), times: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 100_000 }) }),
  fc.record({ do: fc.constant('crash' as const) }),
);

interface Letter {
  readonly key: string;
  readonly fate: 'x' | 'y' | 'filtered' | 'tooLarge';
}

const letters: fc.Arbitrary<readonly Letter[]> = fc.array(
  fc.record({ key: fc.constantFrom(...KEYS), fate: fc.constantFrom('x' as const, 'x', 'y', 'filtered', 'tooLarge') }),
  { minLength: 1, maxLength: 60 },
);

class World {
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
      now: () => Date.now(),
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
    if (this.breaks > 0) {
      this.breaks -= 1;
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
      const wanted = lane.wants(Date.now());
      if (wanted === undefined) continue;
      const rows = this.journal.rows(lane.destination, lane.key, lane.after, wanted.rows);
      this.#ledger.load(lane, rows, wanted.oneOfEachKey);
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

function play(world: World, moves: readonly Move[]): void {
  for (const step of moves) {
    if (step.do === 'work') for (let i = 0; i < step.steps; i += 1) world.work();
    else if (step.do === 'set') world.places.set(step.place, step.to);
    else if (step.do === 'break') world.breaks = step.times;
    else if (step.do === 'wait') vi.advanceTimersByTime(step.ms);
    else world.crash();
  }
  world.heal();
}

test('whatever a broker answers and whenever the daemon dies, each record is delivered, filtered or dead, and in order', () => {
  fc.assert(
    fc.property(letters, fc.boolean(), fc.array(move, { maxLength: 40 }), (sent, ordered, moves) => {
      const world = new World(sent, ordered);
      play(world, moves);
      expect(world.done).toBe(true);
      const filtered = sent.filter(({ fate }) => fate === 'filtered').length;
      const tooLarge = sent.filter(({ fate }) => fate === 'tooLarge').length;
      const rejected = moves.some((step) => step.do === 'set' && step.to === 'rejecting');
      expect(world.journal.counters.filtered).toBe(filtered);
      if (rejected) expect(world.journal.counters.dead).toBeGreaterThanOrEqual(tooLarge);
      else expect(world.journal.counters.dead).toBe(tooLarge);
      for (const place of PLACES) {
        for (const key of KEYS) {
          const seen = world.arrived.filter((one) => one.place === place && one.key === key).map((one) => one.sequence);
          const firsts = [...new Set(seen)];
          expect(firsts, `${place} ${key}`).toEqual(firsts.toSorted());
        }
      }
      const arrived = new Set(world.arrived.map(({ sequence }) => sequence));
      const dead = new Set(world.journal.parked.map(({ cursor }) => cursor.position as string));
      for (const { position, attributes } of world.journal.records) {
        if (attributes.reason !== 'filtered') expect(arrived.has(position) || dead.has(position)).toBe(true);
      }
      expect(world.journal.cursor.position).toBe(world.journal.after('' as never, 1_000).at(-1)?.position);
      expect(STREAM).toBe('_all');
    }),
    { numRuns: Number(process.env.RUNS ?? 500) },
  );
});
