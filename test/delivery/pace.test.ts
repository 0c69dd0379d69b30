import { expect, test } from 'vitest';
import type { Capabilities } from '../../src/adapter.ts';
import { type Entry, entryOf } from '../../src/delivery/entry.ts';
import { Pace } from '../../src/delivery/pace.ts';
import type { RouteName } from '../../src/journal/record.ts';
import { recordAt } from './naive-journal.ts';

const capabilities: Capabilities = {
  orderedBatches: true,
  batchSize: 500,
  parallelism: 2,
  knowsDestinations: true,
  stores: true,
  deduplicates: false,
  mode: 'binary',
};

const entryAt = (i: number): Entry =>
  entryOf(recordAt(i, `k${i}`, 'x'), { destination: 'x', key: `k${i}` }, { route: 'r' as RouteName, replay: 0 });

/** Sends `count` over a link that carries so many before a publish's deadline; gives how often each went, on average. */
function sendOver(link: number, count: number): number {
  const pace = new Pace(capabilities);
  const waiting = Array.from({ length: count }, (_, i) => entryAt(i + 1));
  let sent = 0;
  let generation = 0;
  while (waiting.length > 0) {
    const { messages, parallelism } = pace.limit(0);
    const batches = Array.from({ length: parallelism }, () => waiting.splice(0, messages)).filter(
      ({ length }) => length,
    );
    const flight = batches.flat();
    sent += flight.length;
    if (flight.length <= link) for (const entry of flight) pace.delivered(entry);
    else {
      for (const batch of batches) pace.lost(batch, { generation, tookMs: 30_000 });
      generation += 1;
      waiting.unshift(...flight);
    }
  }
  return sent / count;
}

test('a link that carries fewer messages before the deadline than are sent at once is not sent the same again and again', () => {
  for (const link of [20, 100, 600]) expect(sendOver(link, 20_000)).toBeLessThan(1.3);
});

test('after an outage a route soon sends as much at once as before', () => {
  const pace = new Pace(capabilities);
  const full = pace.limit(0);
  const hit = Array.from({ length: 1_000 }, (_, i) => entryAt(i + 1));
  for (let generation = 0; generation < 12; generation += 1) pace.lost(hit, { generation, tookMs: 30_000 });
  for (const entry of hit.slice(0, 10)) pace.delivered(entry);
  expect(pace.limit(0)).not.toEqual(full);
  for (const entry of hit) pace.delivered(entry);
  for (let i = 0; i < 20 * 1_000; i += 1) pace.delivered(entryAt(1));
  expect(pace.limit(0)).toEqual(full);
});
