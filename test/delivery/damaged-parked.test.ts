import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pino from 'pino';
import { expect, test, vi } from 'vitest';
import type { Message } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { RouteWorker } from '../../src/delivery/route-worker.ts';
import { openJournal } from '../../src/journal/open.ts';
import type { RouteName } from '../../src/journal/record.ts';
import type { Route } from '../../src/routing/route.ts';
import { appendLive, deadLettersOf, drain, imbalance, parkedAt, readAll, routeState } from '../journal/fixture.ts';

const log = pino({ level: 'silent' });
const NAME = 'everything' as RouteName;
const route: Route = {
  name: NAME,
  broker: 'b',
  startFrom: 'oldest',
  atQuota: 'expire',
  constantDestination: 'topic',
  decide: ({ intact, key }) =>
    intact
      ? { kind: 'publish', destination: 'topic', key }
      : { kind: 'reject', reason: 'corrupt-record', detail: 'damaged, or gone' },
};

test('a message whose record was damaged, or has gone, while it was parked is a dead letter; the others are delivered', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-damaged-'));
  const path = join(directory.path, 'journal.db');
  const opening = { path, retainMs: 3_600_000, maxBytes: 2 ** 30, sync: 'normal', cluster: 'test', log } as const;
  await using before = await openJournal(opening);
  await before.openRoute(NAME, { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(before, 1, 5);
  const parked = (await readAll(before)).map((record) => parkedAt(record));
  await drain(before, NAME);
  const [nothing, counters] = [{ cursors: new Map(), receipts: [], unparked: [] }, { delivered: -5 }];
  await before.settle({ route: NAME, ...nothing, counters, parked });
  await before[Symbol.asyncDispose]();
  const db = new DatabaseSync(path);
  db.exec("UPDATE records SET data = CAST(replace(data, 'x', 'y') AS BLOB) WHERE position = '012'");
  db.exec("DELETE FROM records WHERE position = '014'");
  db.close();

  await using journal = await openJournal(opening);
  const stored: Message[] = [];
  const [stop, kill] = [new AbortController(), new AbortController()];
  const worker = new RouteWorker({
    route,
    capabilities: {
      orderedBatches: true,
      batchSize: 10,
      parallelism: 1,
      knowsDestinations: true,
      stores: true,
      deduplicates: false,
      mode: 'binary',
    },
    create: async () => ({
      connect: async () => {},
      check: async () => [],
      publish: async (batch) => {
        stored.push(...batch);
        return batch.map(() => ({ kind: 'delivered', receipt: {} }));
      },
      close: async () => {},
    }),
    journal,
    log,
    clock: systemClock,
  });
  const ended = worker.run(stop.signal, kill.signal);
  await vi.waitUntil(async () => (await routeState(journal, NAME)).pending === 0, { timeout: 20_000 });
  stop.abort();
  await ended;
  expect(stored.map(({ attributes: { id } }) => id)).toEqual(['uid.1', 'uid.3', 'uid.5']);
  const dead = await deadLettersOf(journal, NAME);
  expect(dead.map(({ cursor, reason }) => [cursor.position, reason])).toEqual([
    ['012', 'corrupt-record'],
    ['014', 'corrupt-record'],
  ]);
  const state = await routeState(journal, NAME);
  expect(state.counters).toMatchObject({ read: 5, delivered: 3, dead: 2 });
  expect(imbalance(state)).toBe(0);
});
