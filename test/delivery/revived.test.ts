import pino from 'pino';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Bell } from '../../src/delivery/bell.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import { END, type StreamName } from '../../src/envelope/position.ts';
import type { ParkedMessage, RouteName } from '../../src/journal/record.ts';
import type { Decision, Route } from '../../src/routing/route.ts';
import { recordAt, STREAM } from './naive-journal.ts';

function ledgerOf(decide: Route['decide'] = ({ key }): Decision => ({ kind: 'publish', destination: 'x', key })) {
  const name = 'r' as RouteName;
  return new Ledger({
    route: { name, broker: 'b', startFrom: 'oldest', atQuota: 'expire', constantDestination: undefined, decide },
    capabilities: {
      orderedBatches: true,
      batchSize: 10,
      parallelism: 2,
      knowsDestinations: true,
      stores: true,
      deduplicates: true,
      mode: 'binary',
    },
    window: { records: 10, bytes: 1_000_000 },
    bell: new Bell(),
    log: pino({ level: 'silent' }),
    clock: systemClock,
  });
}

/** A dead letter that was sent to a destination which the route has no longer, and was revived by the third replay. */
function revivedRow(id: number, key = 'k'): ParkedMessage {
  const record = recordAt(id, key, 'x');
  const { epoch, position } = record;
  return {
    id: 100 + id,
    stream: STREAM,
    cursor: { epoch, position },
    destination: 'old',
    key,
    state: 'revived',
    reason: 'too-large',
    detail: '',
    parkedAt: 0,
    replay: 3,
    record,
  };
}

const flight = { generation: 0, tookMs: 0 };
const LANE = { destination: 'x', key: 'k', state: 'retry', reason: 'throttled', detail: '', parkedAt: 0 } as const;

function load(ledger: Ledger, rows: readonly ParkedMessage[]): void {
  expect(ledger.revived.wanted()).toBeGreaterThan(0);
  ledger.loadRevived(rows, ledger.revived.round);
}

test('is sent where the route says now, marked as a replay, under an id that no broker has had', () => {
  using ledger = ledgerOf();
  load(ledger, [revivedRow(1)]);
  const [entry] = ledger.nextBatch(0);
  expect(entry?.message).toMatchObject({
    destination: 'x',
    attributes: { id: 'uid.1', origin: 'replay' },
    deduplicationId: 'uid.1/r/3',
  });
});

test('goes behind what is under way for its key, and what comes after it does not wait', () => {
  using ledger = ledgerOf();
  ledger.admit(recordAt(7, 'k', 'x'), 0);
  const first = ledger.nextBatch(0);
  load(ledger, [revivedRow(1)]);
  ledger.admit(recordAt(8, 'k', 'x'), 0);
  expect(ledger.nextBatch(1)).toEqual([]);
  ledger.landed(first, [{ kind: 'delivered', receipt: {} }], flight);
  expect(ledger.nextBatch(0).map(({ message }) => message.attributes.id)).toEqual(['uid.1', 'uid.8']);
});

test('takes its place behind an open lane, which is not closed before it has done so', () => {
  using ledger = ledgerOf();
  ledger.lanes.reopen(LANE);
  const [lane] = ledger.lanes;
  if (!lane) throw new Error('it is open');
  load(ledger, [revivedRow(1)]);
  expect(ledger.nextBatch(0)).toEqual([]);
  // The journal was asked for the lane before, and had nothing of it any more.
  ledger.load(lane, [], lane.round);
  expect([...ledger.lanes]).toEqual([lane]);
  const ready = ledger.settlement();
  expect(ready?.settlement).toMatchObject({
    counters: { read: 0, dead: 0, delivered: 0 },
    parked: [{ destination: 'x', key: 'k', state: 'retry', replay: 3 }],
    unparked: [101],
  });
  ready?.committed();
  expect(ledger.revived.loaded.size).toBe(0);
  ledger.load(lane, [], lane.round);
  expect([...ledger.lanes]).toEqual([]);
});

test('takes those of its key behind it along when it is parked', () => {
  using ledger = ledgerOf();
  load(ledger, [revivedRow(1), revivedRow(2)]);
  const batch = ledger.nextBatch(0);
  expect(batch).toHaveLength(2);
  const held = { kind: 'held', reason: 'no-such-destination', detail: '' } as const;
  const sibling = { kind: 'retry', reason: 'sibling-failed', detail: '' } as const;
  ledger.landed(batch, [held, sibling], flight);
  const { parked, unparked } = ledger.settlement()?.settlement ?? {};
  expect(parked?.map(({ cursor, state }) => [cursor.position, state])).toEqual([
    ['011', 'held'],
    ['012', 'held'],
  ]);
  expect(unparked).toEqual([101, 102]);
});

test('is a dead letter again when it dies again, and filtered when the route does not want it any more', () => {
  using ledger = ledgerOf(({ key }) =>
    key === 'k' ? { kind: 'filtered' } : { kind: 'publish', destination: 'x', key },
  );
  load(ledger, [revivedRow(1), revivedRow(2, 'other')]);
  const batch = ledger.nextBatch(0);
  ledger.landed(batch, [{ kind: 'reject', reason: 'too-large', detail: '', judge: 'adapter' }], flight);
  expect(ledger.settlement()?.settlement).toMatchObject({
    counters: { read: 0, filtered: 1, dead: 1 },
    parked: [{ state: 'dead', reason: 'too-large', replay: 3 }],
    unparked: [101, 102],
  });
});

test('is not too old for a route that wants only what is young', () => {
  using ledger = ledgerOf((record, now) =>
    now > Date.parse(record.attributes.time)
      ? { kind: 'expired' }
      : { kind: 'publish', destination: 'x', key: record.key },
  );
  load(ledger, [revivedRow(1)]);
  expect(ledger.nextBatch(0)).toHaveLength(1);
});

test('is asked for again from the first one on when a quota has taken away what was in hand', () => {
  using ledger = ledgerOf();
  load(ledger, [revivedRow(1), revivedRow(2)]);
  expect(ledger.revived.after).toBe(102);
  const { round } = ledger.revived;
  const batch = ledger.nextBatch(0);
  ledger.drop('other' as StreamName, END);
  ledger.loadRevived([revivedRow(2)], round);
  expect({ after: ledger.revived.after, inHand: ledger.revived.loaded.size }).toEqual({ after: 0, inHand: 0 });
  ledger.landed(
    batch,
    batch.map(() => ({ kind: 'delivered', receipt: {} }) as const),
    flight,
  );
  expect(ledger.settlement()).toBeUndefined();
  load(ledger, [revivedRow(1)]);
  expect(ledger.nextBatch(0)).toHaveLength(1);
});

test('no more are asked for than can be in hand, until somebody has revived more', () => {
  using ledger = ledgerOf();
  load(ledger, [revivedRow(1)]);
  load(ledger, []);
  expect(ledger.revived.wanted()).toBe(0);
  ledger.revived.told();
  load(
    ledger,
    Array.from({ length: 200 }, (_, i) => revivedRow(2 + i)),
  );
  expect(ledger.revived.wanted()).toBe(0);
});
