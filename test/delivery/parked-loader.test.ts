import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Outcome } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { Bell } from '../../src/delivery/bell.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import { ParkedLoader } from '../../src/delivery/parked-loader.ts';
import type { RouteName } from '../../src/journal/record.ts';
import type { Route } from '../../src/routing/route.ts';
import { NaiveJournal, recordAt } from './naive-journal.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const DESTINATIONS = Array.from({ length: 30 }, (_, at) => `destination-${at}`);
const EACH = 100;

test('long lanes that flow again do not keep a later one from its turn', async () => {
  const journal = new NaiveJournal([]);
  const route: Route = {
    name: 'r' as RouteName,
    broker: 'b',
    startFrom: 'oldest',
    atQuota: 'expire',
    constantDestination: undefined,
    decide: ({ key, attributes }) => ({ kind: 'publish', destination: attributes.reason ?? '', key }),
  };
  const window = { records: 256, bytes: 1e9 };
  const bell = new Bell();
  const log = pino({ level: 'silent' });
  const capabilities = { orderedBatches: true, batchSize: 16, parallelism: 1, knowsDestinations: true } as const;
  const ledger = new Ledger({
    capabilities: { ...capabilities, stores: true, deduplicates: false, mode: 'binary' },
    ...{ route, window: { ...window, records: 1e6 }, bell, log, clock: systemClock },
  });
  const loader = new ParkedLoader({
    ...{ route, window, ledger, bell, clock: systemClock },
    journal: {
      parked: async (_, of, limit) => journal.rows(of.destination ?? '', of.key, of.after ?? 0, limit),
      revived: async () => [],
    },
  });
  const send = (outcome: Outcome) => {
    const batch = ledger.nextBatch(0);
    const outcomes = batch.map(() => outcome);
    ledger.landed(batch, outcomes, { generation: 0, tookMs: 0 });
    for (let ready = ledger.settlement(); ready; ready = ledger.settlement()) {
      journal.settle(ready.settlement);
      ready.committed();
    }
    return batch.map(({ destination }) => destination);
  };

  for (let at = 0; at < EACH * DESTINATIONS.length; at += 1) {
    const record = recordAt(at + 1, `key-${at}`, DESTINATIONS[at % DESTINATIONS.length] ?? '');
    journal.records.push(record);
    ledger.admit(record, 0);
  }
  while (send({ kind: 'held', reason: 'no-such-destination', detail: '' }).length > 0);
  expect([...ledger.lanes]).toHaveLength(DESTINATIONS.length);

  vi.advanceTimersByTime(60_000);
  const delivered: string[] = [];
  while (delivered.length < EACH * DESTINATIONS.length) {
    await loader.load();
    delivered.push(...send({ kind: 'delivered', receipt: {} }));
  }
  const begins = DESTINATIONS.map((destination) => delivered.indexOf(destination));
  expect(Math.max(...begins)).toBeLessThan(delivered.length / 4);
});
