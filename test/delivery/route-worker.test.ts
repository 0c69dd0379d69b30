import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Adapter, ConnectionLost, type Message, type Outcome } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { RouteWorker } from '../../src/delivery/route-worker.ts';
import type { ResourceVersion } from '../../src/envelope/position.ts';
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
  const { path } = scope.stack.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-worker-')));
  const options = { path: join(path, 'journal.db'), retainMs: 60_000, maxBytes: 2 ** 30, sync: 'normal' as const };
  journal = scope.stack.use(await openJournal({ ...options, cluster: 'test', log }));
});
afterEach(() => scope.stack.disposeAsync());

let next = 0;
async function append(count: number): Promise<void> {
  const records = Array.from({ length: count }, () => recordAt(++next, `k${next % 7}`, 'x'));
  const state = { stream: STREAM, epoch: 0, rv: String(next) as ResourceVersion, floor: undefined, listing: undefined };
  await journal.append({ records, state }, never);
}

const route = (name: string): Route => ({
  name: name as RouteName,
  broker: 'b',
  startFrom: 'oldest',
  atQuota: 'expire',
  constantDestination: 'topic',
  decide: ({ key }) => ({ kind: 'publish', destination: 'topic', key }),
});

/** A broker in memory: what it stored, and a way to misbehave. */
class Broker {
  readonly stored: Message[] = [];
  connects = 0;
  closes = 0;
  up = true;
  publish: (batch: readonly Message[], signal: AbortSignal) => Promise<readonly Outcome[]> = async (batch) =>
    this.store(batch);

  store(batch: readonly Message[]): readonly Outcome[] {
    this.stored.push(...batch);
    return batch.map(() => ({ kind: 'delivered', receipt: { at: this.stored.length } }));
  }

  get ids(): readonly string[] {
    return [...new Set(this.stored.map(({ attributes }) => attributes.sequence))];
  }

  create = async (): Promise<Adapter> => ({
    connect: async () => {
      this.connects += 1;
      if (!this.up) throw new Error('nobody listens on 127.0.0.1:1');
    },
    check: async () => [],
    publish: (batch, signal) => this.publish(batch, signal),
    close: async () => {
      this.closes += 1;
    },
  });
}

function start(name: string, broker: Broker, by = route(name)) {
  const [stop, kill] = [new AbortController(), new AbortController()];
  const worker = new RouteWorker({
    route: by,
    capabilities: {
      orderedBatches: true,
      batchSize: 10,
      parallelism: 3,
      knowsDestinations: true,
      stores: true,
      deduplicates: false,
      mode: 'binary',
    },
    create: broker.create,
    journal,
    log,
    clock: systemClock,
    deadlines: { connectMs: 1_000, publishMs: 200, closeMs: 200 },
  });
  const ended = worker.run(stop.signal, kill.signal);
  scope.stack.defer(async () => {
    kill.abort();
    await ended.catch(() => {});
  });
  return { worker, stop, kill, ended };
}

/** Per key, after dropping repeats. */
function expectOrder(broker: Broker): void {
  for (let k = 0; k < 7; k += 1) {
    const ofKey = broker.stored.filter(({ key }) => key === `k${k}`).map(({ attributes }) => attributes.sequence);
    expect([...new Set(ofKey)]).toEqual([...new Set(ofKey)].toSorted());
  }
}

const countersOf = async (name: string) => (await journal.routes()).find((one) => one.route === name)?.counters;

test('a broker that is down at the start delays no other route, and gets everything when it is up', async () => {
  const [well, ill] = [new Broker(), new Broker()];
  ill.up = false;
  start('well', well);
  const { worker } = start('ill', ill);
  await append(100);
  await vi.waitUntil(() => well.ids.length === 100);
  expect(ill.stored).toEqual([]);
  await vi.waitUntil(() => worker.status.connection.kind === 'down');
  expect(worker.status.connection).toMatchObject({ error: 'nobody listens on 127.0.0.1:1' });
  ill.up = true;
  await vi.waitUntil(() => ill.ids.length === 100, { timeout: 10_000 });
});

test('a publish that is never answered costs the client, not the messages', { timeout: 20_000 }, async () => {
  const broker = new Broker();
  let hung = 0;
  broker.publish = (batch) => {
    if (hung++ > 0) return Promise.resolve(broker.store(batch));
    return new Promise(() => {});
  };
  start('r', broker);
  await append(30);
  await vi.waitUntil(() => broker.ids.length === 30, { timeout: 10_000 });
  expect(broker.connects).toBe(2);
  expect(broker.closes).toBe(1);
});

test('an adapter that answers for too few messages, or throws what it should not, is not believed', {
  timeout: 20_000,
}, async () => {
  const broker = new Broker();
  let round = 0;
  broker.publish = async (batch) => {
    round += 1;
    if (round === 1) return [];
    if (round === 2) throw new TypeError('a defect');
    return broker.store(batch);
  };
  start('r', broker);
  await append(20);
  await vi.waitUntil(() => broker.ids.length === 20, { timeout: 10_000 });
  await vi.waitUntil(async () => (await countersOf('r'))?.delivered === 20);
});

test('after a stop, what is under way is still acknowledged and committed, and the next start goes on behind it', async () => {
  const broker = new Broker();
  const answers: (() => void)[] = [];
  broker.publish = (batch) => new Promise((resolve) => answers.push(() => resolve(broker.store(batch))));
  const { stop, ended } = start('r', broker);
  await append(10);
  await vi.waitUntil(() => answers.length === 1);
  stop.abort();
  answers[0]?.();
  await ended;
  expect(await countersOf('r')).toMatchObject({ read: 10, delivered: 10 });
  const again = new Broker();
  start('r', again);
  await append(5);
  await vi.waitUntil(() => again.ids.length === 5);
});

test('a kill while a publish hangs ends the route at once, and the next start sends it again', async () => {
  const broker = new Broker();
  broker.publish = () => new Promise(() => {});
  const { worker, kill, ended } = start('r', broker);
  await append(10);
  await vi.waitUntil(() => worker.status.underWay > 0);
  kill.abort();
  await ended;
  const again = new Broker();
  start('r', again);
  await vi.waitUntil(() => again.ids.length === 10);
});

test('a topic that does not exist stops a route with nowhere else to go, and it goes on when the topic is made', {
  timeout: 20_000,
}, async () => {
  const broker = new Broker();
  let exists = false;
  const held: Outcome = { kind: 'held', reason: 'no-such-destination', detail: 'there is no topic named topic' };
  broker.publish = async (batch) => (exists ? broker.store(batch) : batch.map(() => held));
  const { worker } = start('r', broker);
  await append(50);
  await vi.waitUntil(() => worker.status.stopped !== undefined);
  expect(worker.status.stopped).toMatchObject({ reason: 'no-such-destination' });
  expect((await countersOf('r'))?.read).toBe(0);
  exists = true;
  await vi.waitUntil(() => broker.ids.length === 50, { timeout: 10_000 });
  expectOrder(broker);
  await vi.waitUntil(async () => (await countersOf('r'))?.delivered === 50);
  expect(worker.status.stopped).toBeUndefined();
});

test('a lost connection sends what was under way again, in order', { timeout: 20_000 }, async () => {
  const broker = new Broker();
  let publishes = 0;
  broker.publish = async (batch) => {
    const outcomes = broker.store(batch);
    if (++publishes === 2) throw new ConnectionLost('reset');
    return outcomes;
  };
  start('r', broker);
  await append(60);
  await vi.waitUntil(() => broker.ids.length === 60, { timeout: 10_000 });
  expectOrder(broker);
});

test('an object that owns all the oldest messages of a held destination hides no other one from the probes', {
  timeout: 60_000,
}, async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  try {
    const broker = new Broker();
    const refused: Outcome = { kind: 'held', reason: 'no-such-destination', detail: 'no topic' };
    let mended = false;
    broker.publish = async (batch) =>
      batch.map((message) => {
        if (!mended || message.key === 'loud') return refused;
        return broker.store([message])[0] ?? refused;
      });
    const keys = [...Array(40).fill('loud'), 'quiet'];
    const records = keys.map((key) => recordAt(++next, key, 'x'));
    const state = {
      stream: STREAM,
      epoch: 0,
      rv: String(next) as ResourceVersion,
      floor: undefined,
      listing: undefined,
    };
    await journal.append({ records, state }, never);
    const { worker } = start('r', broker, { ...route('r'), constantDestination: undefined });
    const pending = async () => (await journal.routes()).find((one) => one.route === 'r')?.pending;
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(100);
      expect(await pending()).toBe(41);
    }, 30_000);
    expect(worker.status.parked).toMatchObject([{ destination: 'topic', verdict: { reason: 'no-such-destination' } }]);
    mended = true;
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(1_000);
      expect(broker.stored.map(({ key }) => key)).toEqual(['quiet']);
    }, 30_000);
  } finally {
    vi.useRealTimers();
  }
});
