import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { ApiClient, CORE, type Line } from './api-server.ts';

// Watches last a second at least: on a busy machine several at once take their time.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

async function started(options: Parameters<typeof startSimulator>[0] = {}) {
  const simulator = await startSimulator(options);
  const compact = async () => simulator.faults.compact();
  const dispose = () => simulator[Symbol.asyncDispose]();
  const server = { address: simulator.address, token: '', strangersToken: '', compact, [Symbol.asyncDispose]: dispose };
  return { simulator, client: new ApiClient(server), [Symbol.asyncDispose]: dispose };
}

/** More than the buffers of the operating system hold. */
const EVENTS = 500;

const revisionOf = ({ object }: Line) => {
  const { uid, resourceVersion } = Object(object.metadata);
  return `${uid}.${resourceVersion}`;
};

test.concurrent('a load makes what its rate says, and a watch tells of each revision once, in order', async () => {
  await using run = await started();
  const { simulator, client } = run;
  const from = simulator.resourceVersion;
  const report = await simulator.load({ rate: 2000, forSeconds: 0.5, objects: 30, bytes: 2000, updates: 0.4 });
  expect(report.emitted).toBe(1000);
  expect(report.created + report.updated).toBe(1000);
  expect(report.updated).toBeGreaterThan(350);
  expect(report.updated).toBeLessThan(450);
  const lines = await client.watched(`${CORE}/events`, `resourceVersion=${from}`);
  const emitted = [...simulator.emitted].map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`);
  expect(lines.map(revisionOf)).toEqual(emitted);
  expect(simulator.emitted.count).toBe(1000);
  expect(lines.filter(({ type }) => type === 'MODIFIED')).toHaveLength(report.updated);
  expect(new Set(lines.map(({ object }) => Object(object.involvedObject).name)).size).toBe(30);
  for (const { object } of lines) expect(Math.abs(JSON.stringify(object).length - 2000)).toBeLessThan(30);
});

test.concurrent('an update in a load is the same Event with its count one higher', async () => {
  await using run = await started();
  const { simulator, client } = run;
  await simulator.load({ rate: 1000, forSeconds: 0.2, objects: 3, updates: 0.8 });
  const counts = new Map<string, number>();
  for (const { type, object } of await client.watched(`${CORE}/events`, 'resourceVersion=1000')) {
    const { uid } = Object(object.metadata);
    expect(object.count).toBe((counts.get(uid) ?? 0) + 1);
    expect(type).toBe(counts.has(uid) ? 'MODIFIED' : 'ADDED');
    counts.set(uid, Number(object.count));
  }
  expect(counts.size).toBeGreaterThan(20);
});

test.concurrent('a load without an end stops when it is aborted, or the simulator is disposed of', async () => {
  const run = await started();
  const stop = new AbortController();
  const aborted = run.simulator.load({ rate: 1000, signal: stop.signal });
  const disposed = run.simulator.load({ rate: 1000 });
  await expect.poll(() => run.simulator.emitted.count).toBeGreaterThan(10);
  stop.abort();
  expect((await aborted).emitted).toBeGreaterThan(0);
  await run[Symbol.asyncDispose]();
  expect((await disposed).emitted).toBeGreaterThan(0);
});

const STORIES = ['crashloop', 'node-lost', 'image-pull', 'oom', 'deploy'];

test.concurrent.for(STORIES)('%s is the same story every time', async (name) => {
  const tell = async () => {
    await using run = await started();
    await run.simulator.play(name, { speed: 10_000, namespace: 'shop' });
    const lines = await run.client.watched(`${CORE}/events`, 'resourceVersion=1003');
    expect(lines).toHaveLength(run.simulator.emitted.count);
    return lines;
  };
  const [one, other] = await Promise.all([tell(), tell()]);
  const said = ({ type, object }: Line) =>
    `${type} ${Object(object.metadata).name} ${object.reason} ${object.message} ${object.count}`;
  expect(one.map(said)).toEqual(other.map(said));
  expect(one.length).toBeGreaterThan(10);
  for (const { object } of one) {
    const { namespace } = Object(object.metadata);
    expect(Object(object.involvedObject).namespace ?? 'default').toBe(namespace);
    expect(object.reportingComponent).not.toBe('');
    expect(Number.isNaN(Date.parse(String(object.eventTime ?? object.lastTimestamp)))).toBe(false);
  }
});

test.concurrent('a crash loop raises the count of its warnings', async () => {
  await using run = await started();
  await run.simulator.play('crashloop', { speed: 10_000 });
  const lines = await run.client.watched(`${CORE}/events`, 'resourceVersion=1003&fieldSelector=reason%3DBackOff');
  expect(lines.map(({ type, object }) => `${type} ${object.type} ${object.count}`)).toEqual([
    'ADDED Warning 1',
    ...[2, 3, 4, 5].map((count) => `MODIFIED Warning ${count}`),
  ]);
});

test('another process can start scenarios and loads, and read what was emitted', async () => {
  await using run = await started();
  const post = (path: string, body: object) => run.client.ask(path, { method: 'POST', body });
  expect((await post('/scenarios/deploy', { speed: 10_000, namespace: 'web' })).status).toBe(202);
  await expect.poll(() => run.simulator.emitted.count).toBe(27);
  expect((await post('/load', { rate: 1000, forSeconds: 0.1 })).status).toBe(202);
  await expect.poll(() => run.simulator.emitted.count).toBe(127);
  expect((await run.client.ask('/emitted')).body).toEqual({ count: 127 });
  const [last] = [...run.simulator.emitted.from(126)];
  const { body } = await run.client.ask('/emitted?from=126');
  expect(body).toMatch(new RegExp(`^${last?.uid} ${last?.resourceVersion} [0-9.]+\n$`));
  expect(Object.keys(Object((await run.client.ask('/scenarios')).body))).toContain('node-lost');
  expect((await post('/scenarios/flood', {})).status).toBe(404);
  expect((await post('/load', { rate: -1 })).status).toBe(400);
});

test('a watcher that does not read costs no memory: it gets 410 when the history has gone on without it', async () => {
  await using run = await started({ limits: { revisions: 100 } });
  const { hostname, port } = new URL(run.simulator.address);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${CORE}/events?watch=true HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n\r\n`);
  const involvedObject = { kind: 'Node', name: 'node-1' };
  const message = 'x'.repeat(100_000);
  for (let n = 0; n < EVENTS; n++) await run.client.create('default', `n${n}`, { involvedObject, message });
  const lines = (await text(socket.resume())).split('\n').filter((line) => line.startsWith('{"type":'));
  expect(lines.at(-1)).toMatch(/^\{"type":"ERROR",.*"code":410/);
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.length).toBeLessThan(EVENTS - 100);
});
