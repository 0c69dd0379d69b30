import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Adapter, Outcome } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { RouteWorker, type RouteWorkerOptions } from '../../src/delivery/route-worker.ts';
import type { Cursor, ResourceVersion, StreamName } from '../../src/envelope/position.ts';
import { openJournal } from '../../src/journal/open.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { RouteName } from '../../src/journal/record.ts';
import type { Route } from '../../src/routing/route.ts';
import { recordAt, STREAM } from './naive-journal.ts';

const log = pino({ level: 'silent' });
const never = new AbortController().signal;
const scope = { stack: new AsyncDisposableStack() };
let journal: Journal;

beforeEach(async () => {
  scope.stack = new AsyncDisposableStack();
  const { path } = scope.stack.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-faults-')));
  const options = { path: join(path, 'journal.db'), retainMs: 60_000, maxBytes: 2 ** 30, sync: 'normal' as const };
  journal = scope.stack.use(await openJournal({ ...options, cluster: 'test', log }));
});
afterEach(() => scope.stack.disposeAsync());

/** The journal, but for these. */
function journalBut(instead: Partial<Journal>): Journal {
  return new Proxy(journal, {
    get(real, name) {
      const mine = Reflect.get(instead, name);
      if (mine !== undefined) return mine;
      const its = Reflect.get(real, name);
      return typeof its === 'function' ? its.bind(real) : its;
    },
  });
}

async function append(count: number, stream: StreamName = STREAM): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => recordAt(i + 1, `k${i % 7}`, 'x'));
  const state = { stream, epoch: 0, rv: String(count) as ResourceVersion, floor: undefined, listing: undefined };
  await journal.append({ records, state }, never);
}

const ARRIVED: Outcome = { kind: 'delivered', receipt: {} };

interface Broker {
  up: boolean;
  readonly arrived: number[];
  publish?: Adapter['publish'];
}

type Options = Partial<Pick<RouteWorkerOptions, 'journal' | 'create' | 'route' | 'window'>>;

const ROUTE: Route = {
  name: 'r' as RouteName,
  broker: 'b',
  startFrom: 'oldest',
  atQuota: 'expire',
  constantDestination: 'topic',
  decide: ({ key }) => ({ kind: 'publish', destination: 'topic', key }),
};

function start(broker: Broker, options: Options = {}) {
  const [stop, kill] = [new AbortController(), new AbortController()];
  const create = async (): Promise<Adapter> => ({
    connect: async () => {
      if (!broker.up) throw new Error('nobody listens');
    },
    check: async () => [],
    publish: async (batch, signal) => {
      if (broker.publish) return broker.publish(batch, signal);
      broker.arrived.push(...batch.map(({ attributes }) => Number(attributes.sequence.slice(2))));
      return batch.map(() => ARRIVED);
    },
    close: async () => {},
  });
  const worker = new RouteWorker({
    route: ROUTE,
    capabilities: {
      orderedBatches: true,
      batchSize: 10,
      parallelism: 3,
      knowsDestinations: true,
      stores: true,
      deduplicates: false,
      mode: 'binary',
    },
    create,
    journal,
    log,
    clock: systemClock,
    deadlines: { connectMs: 1_000, publishMs: 1_000, closeMs: 200 },
    window: { records: 50, bytes: 1_000_000 },
    ...options,
  });
  const ended = worker.run(stop.signal, kill.signal);
  ended.catch(() => {});
  scope.stack.defer(async () => {
    kill.abort();
    await ended.catch(() => {});
  });
  return { worker, stop, kill, ended };
}

const stateOf = async () => (await journal.routes())[0];

test('what a full journal lets go of is not read on meanwhile, neither delivered nor counted twice', {
  timeout: 20_000,
}, async () => {
  let full: (stream: StreamName, upTo: Cursor) => void = () => {};
  const reads: string[] = [];
  const slow = journalBut({
    onQuota: (_, listener) => {
      full = listener;
      return () => {};
    },
    read: (stream, after, limit) => {
      reads.push(after.position);
      return journal.read(stream, after, limit);
    },
    // The file takes its time: whoever would read on has.
    expire: async (route, stream, upTo) => {
      const before = reads.length;
      await append(1, 'other' as StreamName);
      await vi.waitUntil(() => reads.length > before);
      return journal.expire(route, stream, upTo);
    },
  });
  const broker: Broker = { up: false, arrived: [] };
  await append(2_000);
  const { worker } = start(broker, { journal: slow });
  await vi.waitUntil(() => worker.status.unsettled > 40);
  full(STREAM, { epoch: 0, position: recordAt(1_500, '', '').position });
  await vi.waitUntil(async () => ((await stateOf())?.counters.expired ?? 0) > 0);
  broker.up = true;
  await vi.waitUntil(async () => (await stateOf())?.lag === 0 && (await stateOf())?.pending === 0, { timeout: 15_000 });
  expect((await stateOf())?.counters).toMatchObject({ read: 2_002, expired: 1_500, delivered: 502 });
});

test('what a full journal lets go of is not overtaken before that is committed, for a crash would bring it back', {
  timeout: 20_000,
}, async () => {
  let full: (stream: StreamName, upTo: Cursor) => void = () => {};
  const committing = Promise.withResolvers<void>();
  let asked = false;
  const slow = journalBut({
    onQuota: (_, listener) => {
      full = listener;
      return () => {};
    },
    expire: async (route, stream, upTo) => {
      asked = true;
      await committing.promise;
      return journal.expire(route, stream, upTo);
    },
  });
  const broker: Broker = { up: false, arrived: [] };
  await append(20);
  const { worker } = start(broker, { journal: slow });
  await vi.waitUntil(() => worker.status.unsettled === 20);
  full(STREAM, { epoch: 0, position: recordAt(10, '', '').position });
  await vi.waitUntil(() => asked);
  broker.up = true;
  await vi.waitUntil(() => worker.status.connection.kind === 'up', { timeout: 10_000 });
  await stateOf();
  expect(broker.arrived).toEqual([]);
  committing.resolve();
  await vi.waitUntil(() => broker.arrived.filter((rv) => rv > 10).length === 10, { timeout: 10_000 });
});

test('while the disk takes nothing, no more than a window is delivered, for a crash repeats it', {
  timeout: 20_000,
}, async () => {
  const broker: Broker = { up: true, arrived: [] };
  const disk = Promise.withResolvers<void>();
  await append(400);
  const settle: Journal['settle'] = async (settlement) => {
    await disk.promise;
    return journal.settle(settlement);
  };
  const { worker } = start(broker, { journal: journalBut({ settle }) });
  await vi.waitUntil(() => broker.arrived.length > 40 && worker.status.underWay === 0, { timeout: 10_000 });
  for (let turn = 0; turn < 3; turn += 1) await stateOf();
  expect(new Set(broker.arrived).size).toBeLessThanOrEqual(50);
  disk.resolve();
  await vi.waitUntil(async () => (await stateOf())?.counters.delivered === 400, { timeout: 10_000 });
});

test('a stream with a long backlog does not keep a route from reading the others', { timeout: 20_000 }, async () => {
  await append(6_000);
  await append(3, 'web' as StreamName);
  const broker: Broker = { up: true, arrived: [] };
  let web = 0;
  broker.publish = async (batch) => {
    await new Promise(setImmediate);
    broker.arrived.push(...batch.map(() => 0));
    return batch.map(() => ARRIVED);
  };
  const read: Journal['read'] = async (stream, after, limit) => {
    const records = await journal.read(stream, after, limit);
    if (stream === ('web' as StreamName) && records.length > 0) web = broker.arrived.length;
    return records;
  };
  start(broker, { journal: journalBut({ read }) });
  await vi.waitUntil(() => broker.arrived.length === 6_003, { timeout: 20_000 });
  expect(web).toBeLessThan(2_000);
});

test('a journal that cannot commit ends its route with the reason, and nothing is left behind', async () => {
  const broker: Broker = { up: true, arrived: [] };
  broker.publish = async (batch) => batch.map(() => ARRIVED);
  await append(100);
  const settle = () => Promise.reject(new Error('the disk is gone'));
  const { ended, worker } = start(broker, { journal: journalBut({ settle }) });
  await expect(ended).rejects.toThrow('the disk is gone');
  expect(worker.status.underWay).toBe(0);
});

test('a client that is never made holds up neither a stop nor a kill', async () => {
  const broker: Broker = { up: true, arrived: [] };
  let asked = false;
  const create = () => {
    asked = true;
    return new Promise<Adapter>(() => {});
  };
  const { stop, ended } = start(broker, { create });
  await vi.waitUntil(() => asked);
  stop.abort();
  await ended;
});

test('an adapter that rejects long after its deadline harms nobody', { timeout: 20_000 }, async () => {
  const broker: Broker = { up: true, arrived: [] };
  const late: ((error: Error) => void)[] = [];
  broker.publish = () => new Promise((_, reject) => late.push(reject));
  await append(20);
  const { worker } = start(broker);
  await vi.waitUntil(() => worker.status.connection.kind === 'down', { timeout: 5_000 });
  delete broker.publish;
  for (const reject of late) reject(new Error('too late'));
  await vi.waitUntil(() => new Set(broker.arrived).size === 20, { timeout: 10_000 });
});

test.each([
  ['what a route does not want costs it two commits a second', 'filtered', 500],
  ['what a route delivers one by one costs it twenty commits a second', 'delivered', 50],
] as const)('%s at most, and none of it is left open at a stop', async (_, fate, apartMs) => {
  const broker: Broker = { up: true, arrived: [] };
  let settled = 0;
  const settle: Journal['settle'] = (settlement) => {
    settled += 1;
    return journal.settle(settlement);
  };
  const picky = { ...ROUTE, decide: () => ({ kind: 'filtered' }) } satisfies Route;
  const route = fate === 'filtered' ? picky : ROUTE;
  const began = performance.now();
  const window = { records: 1_000, bytes: 1_000_000 };
  const { stop, ended } = start(broker, { route, window, journal: journalBut({ settle }) });
  for (let count = 1; count <= 60; count += 1) await append(count);
  await vi.waitUntil(async () => (await stateOf())?.counters[fate] === 60, { timeout: 10_000 });
  expect(settled).toBeLessThanOrEqual(1 + (performance.now() - began) / apartMs);
  await append(61);
  stop.abort();
  await ended;
  const { counters, lag } = (await stateOf()) ?? expect.unreachable();
  expect({ settled: counters[fate], lag }).toEqual({ settled: counters.read, lag: 61 - counters.read });
});
