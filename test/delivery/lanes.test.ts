import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Outcome } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { Bell } from '../../src/delivery/bell.ts';
import type { Entry } from '../../src/delivery/entry.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import type { RouteName } from '../../src/journal/record.ts';
import { NaiveJournal, recordAt, STREAM } from './naive-journal.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const DELIVERED: Outcome = { kind: 'delivered', receipt: {} };
const HELD: Outcome = { kind: 'held', reason: 'no-such-destination', detail: '' };
const SIBLING: Outcome = { kind: 'retry', reason: 'sibling-failed', detail: '' };

/** A ledger whose every step a test takes by hand; a record's reason is its destination. */
class Desk {
  readonly journal = new NaiveJournal([]);
  readonly ledger = new Ledger({
    route: {
      name: 'r' as RouteName,
      broker: 'b',
      startFrom: 'oldest',
      atQuota: 'expire',
      constantDestination: undefined,
      decide: ({ key, attributes }) => ({ kind: 'publish', destination: attributes.reason ?? '', key }),
    },
    capabilities: {
      orderedBatches: true,
      batchSize: 4,
      parallelism: 2,
      knowsDestinations: true,
      stores: true,
      deduplicates: false,
      mode: 'binary',
    },
    window: { records: 10_000, bytes: 1e9 },
    bell: new Bell(),
    log: pino({ level: 'silent' }),
    clock: systemClock,
  });

  admit(...letters: readonly (readonly [key: string, destination: string])[]): void {
    for (const [key, destination] of letters) {
      const record = recordAt(this.journal.records.length + 1, key, destination);
      this.journal.records.push(record);
      this.ledger.admit(record, 0);
    }
  }

  land(batch: readonly Entry[], outcomes: readonly Outcome[] | undefined, generation = 0): void {
    this.ledger.landed(batch, outcomes, { generation, tookMs: 0 });
  }

  /** Sends one batch; its outcome is the same for each. */
  send(outcome: Outcome): readonly Entry[] {
    const batch = this.ledger.nextBatch(0);
    this.land(
      batch,
      batch.map(() => outcome),
    );
    return batch;
  }

  commit(): void {
    for (let ready = this.ledger.settlement(); ready; ready = this.ledger.settlement()) {
      this.journal.settle(ready.settlement);
      ready.committed();
    }
  }

  /** Asks the journal for what the lanes want; the answer comes when the test says so. */
  ask(): () => void {
    const answers = [...this.ledger.lanes].map((lane) => {
      const wanted = lane.wants(systemClock.steady());
      const rows = wanted === 0 ? undefined : this.journal.rows(lane.destination, lane.key, lane.after, wanted);
      const { round } = lane;
      return () => rows && this.ledger.load(lane, rows, round);
    });
    return () => {
      for (const answer of answers) answer();
    };
  }
}

const keysOf = (batch: readonly Entry[]) => batch.map(({ key }) => key);
const sequencesOf = (batch: readonly Entry[]) => batch.map(({ cursor }) => Number(cursor.position.slice(2)));

/** A lane of x that flows, with all its rows loaded. */
function flowing(desk: Desk): void {
  desk.send(HELD);
  desk.commit();
  vi.advanceTimersByTime(2_000);
  desk.ask()();
  desk.send(DELIVERED);
  desk.commit();
  desk.ask()();
}

test('a sibling of a failed message does not cut short the wait that its key was given', () => {
  const desk = new Desk();
  desk.admit(['a', 'x'], ['a', 'x']);
  const batch = desk.ledger.nextBatch(0);
  desk.land(batch, [{ kind: 'retry', reason: 'throttled', detail: '', afterMs: 5_000 }, SIBLING]);
  vi.advanceTimersByTime(4_900);
  expect(desk.ledger.nextBatch(0)).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(sequencesOf(desk.ledger.nextBatch(0))).toEqual([1, 2]);
});

test('when a flowing lane backs off, what follows the held message in its batch does not go before it', () => {
  const desk = new Desk();
  desk.admit(['a', 'x'], ['a', 'x'], ['a', 'x']);
  flowing(desk);
  const batch = desk.ledger.nextBatch(0);
  expect(sequencesOf(batch)).toEqual([2, 3]);
  desk.land(batch, [HELD, SIBLING]);
  vi.advanceTimersByTime(10);
  expect(desk.ledger.nextBatch(0)).toEqual([]);
  vi.advanceTimersByTime(5_000);
  desk.ask()();
  expect(sequencesOf(desk.ledger.nextBatch(0))).toEqual([2]);
});

test('rows that were asked for before their lane backed off are not taken for its first ones', () => {
  const desk = new Desk();
  desk.admit(...Array.from({ length: 400 }, () => ['a', 'x'] as const));
  flowing(desk);
  // 256 rows are loaded; more are asked for as soon as half of them are delivered.
  for (let sent = 0; sent < 40; sent += 1) desk.send(DELIVERED);
  desk.commit();
  const answer = desk.ask();
  desk.send(HELD);
  vi.advanceTimersByTime(5_000);
  answer();
  expect(desk.ledger.nextBatch(0)).toEqual([]);
  desk.ask()();
  expect(sequencesOf(desk.ledger.nextBatch(0))).toEqual([162]);
});

test('a message that broke the connection and is then parked does not slow its route down for ever', () => {
  const desk = new Desk();
  desk.admit(['a', 'x'], ['b', 'x']);
  for (let generation = 0; generation < 4; generation += 1) {
    desk.land(desk.ledger.nextBatch(0), undefined, generation);
    if (generation < 3) vi.advanceTimersByTime(1);
  }
  // One of the two is suspected, and waits; the other one finds their destination missing.
  desk.send(HELD);
  desk.commit();
  expect([...desk.ledger.lanes]).toHaveLength(1);
  desk.admit(['c', 'y'], ['d', 'y'], ['e', 'y']);
  expect(keysOf(desk.send(DELIVERED)).length + keysOf(desk.send(DELIVERED)).length).toBeGreaterThan(2);
});

test('a missing destination with thousands of messages is parked, not a reason to stop for ever', () => {
  const desk = new Desk();
  desk.admit(...Array.from({ length: 3_000 }, (_, i) => [`k${i}`, 'x'] as const));
  const both = [desk.ledger.nextBatch(0), desk.ledger.nextBatch(1)];
  for (const batch of both)
    desk.land(
      batch,
      batch.map(() => HELD),
    );
  desk.commit();
  expect(desk.ledger.stopped).toBeUndefined();
  vi.advanceTimersByTime(2_000);
  for (let round = 0; round < 3_000 && desk.journal.counters.delivered < 3_000; round += 1) {
    desk.ask()();
    desk.send(DELIVERED);
    desk.commit();
  }
  expect(desk.journal.counters).toMatchObject({ read: 3_000, delivered: 3_000 });
});

test('a message that the broker refuses becomes a dead letter, and does not hold up the lane that it stands in', () => {
  const desk = new Desk();
  const refused: Outcome = { kind: 'reject', reason: 'invalid-message', detail: '', judge: 'broker' };
  const step = () => {
    const batch = desk.ledger.nextBatch(0);
    desk.land(
      batch,
      batch.map(({ key }) => (key === 'bad' ? refused : DELIVERED)),
    );
    desk.commit();
    desk.ask()();
    vi.advanceTimersByTime(100);
  };
  desk.admit(['bad', 'x']);
  for (let round = 0; round < 2_000 && [...desk.ledger.lanes].length === 0; round += 1) step();
  desk.admit(...Array.from({ length: 200 }, (_, i) => [`k${i}`, 'x'] as const));
  for (let round = 0; round < 1_000; round += 1) {
    step();
    if (round % 50 === 0) desk.admit([`later${round}`, 'x']);
  }
  expect(desk.journal.counters).toMatchObject({ read: 221, delivered: 220, dead: 1 });
});

test('a message under way that a full journal has let go of is not blamed for the connection that breaks with it', () => {
  const desk = new Desk();
  desk.admit(['a', 'x']);
  for (let generation = 0; generation < 4; generation += 1) {
    const batch = desk.ledger.nextBatch(0);
    if (generation === 3) desk.ledger.drop(STREAM, { epoch: 0, position: recordAt(1, '', '').position });
    desk.land(batch, undefined, generation);
  }
  desk.admit(['b', 'x'], ['c', 'x'], ['d', 'x'], ['e', 'x']);
  expect(desk.send(DELIVERED).length + desk.send(DELIVERED).length).toBe(4);
});

test('a route that stopped because everything is throttled probes now and then, not as fast as the broker answers', () => {
  const desk = new Desk();
  desk.admit(...Array.from({ length: 300 }, (_, i) => [`k${i}`, 'x'] as const));
  const throttled: Outcome = { kind: 'retry', reason: 'throttled', detail: '' };
  for (let round = 0; round < 200; round += 1) desk.send(throttled);
  desk.ledger.relieve();
  expect(desk.ledger.stopped).toBeDefined();
  vi.advanceTimersByTime(15_000);
  let probes = 0;
  for (let round = 0; round < 100; round += 1) probes += desk.send(throttled).length;
  expect(probes).toBe(1);
});

test('a lane of the start keeps the reason that holds its first message, and since when', () => {
  const desk = new Desk();
  const head = {
    destination: 'x',
    key: 'a',
    state: 'held',
    reason: 'not-authorized',
    detail: 'no',
    parkedAt: 7,
  } as const;
  desk.ledger.lanes.reopen(head);
  expect([...desk.ledger.lanes].map(({ verdict }) => verdict)).toEqual([
    { state: 'held', reason: 'not-authorized', detail: 'no', since: 7 },
  ]);
});

test('rows of a lane that its destination’s has swallowed are not loaded beside it, whenever the journal was asked', () => {
  const { ledger } = new Desk();
  const verdict = { state: 'held', reason: 'no-such-destination', detail: '', since: 0 } as const;
  const lane = ledger.lanes.park('x', 'k', verdict);
  ledger.lanes.park('x', undefined, verdict);
  const record = recordAt(1, 'k', 'x');
  const row = { stream: STREAM, cursor: record, destination: 'x', key: 'k', parkedAt: 0, replay: 0, id: 1, record };
  ledger.load(lane, [{ ...row, ...verdict }], lane.round);
  expect(ledger.nextBatch(0)).toEqual([]);
});

test('what the broker rejects while others pass is a dead letter, also when its lane puts it back in between', () => {
  const desk = new Desk();
  const rejected: Outcome = { kind: 'reject', reason: 'invalid-message', detail: '', judge: 'broker' };
  desk.admit(['bad', 'x']);
  desk.send(HELD);
  for (let round = 0; round < 3; round += 1) {
    desk.admit(['good', 'x'], ['good', 'x']);
    desk.commit();
    vi.advanceTimersByTime(60_000);
    desk.ask()();
    const probes = desk.ledger.nextBatch(0);
    expect(keysOf(probes)).toEqual(['bad', 'good']);
    desk.land(probes, [rejected, DELIVERED]);
    desk.commit();
    desk.ask()();
    desk.send(HELD);
  }
  desk.commit();
  expect(desk.journal.parked.filter(({ state }) => state === 'dead').map(({ key }) => key)).toEqual(['bad']);
});
