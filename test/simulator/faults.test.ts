import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { ApiClient, CORE, type Line, told } from './api-server.ts';

// Watches last a second at least: on a busy machine several at once take their time.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const EVENTS = `${CORE}/namespaces/default/events`;

let simulator: Simulator;
let client: ApiClient;

beforeEach(async () => {
  simulator = await startSimulator();
  const compact = async () => simulator.faults.compact();
  const none = { token: 'any', strangersToken: 'any' };
  const dispose = () => simulator[Symbol.asyncDispose]();
  client = new ApiClient({ address: simulator.address, ...none, compact, [Symbol.asyncDispose]: dispose });
});

afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await simulator[Symbol.asyncDispose]();
});

/** By HTTP, as another process would. */
async function fault(name: string, body: object = {}): Promise<number> {
  return (await client.ask(`/faults/${name}`, { method: 'POST', body })).status;
}

/** A watch from now on that has told of one Event, so that it is known to be open. */
async function openWatch(query = ''): Promise<AsyncGenerator<Line>> {
  const watch = client.watch(EVENTS, `resourceVersion=${simulator.resourceVersion}${query}`);
  const first = watch.next();
  await client.create('default', `first-${crypto.randomUUID()}`, { involvedObject: { kind: 'Node', name: 'n' } });
  await first;
  return watch;
}

const create = (name: string) => client.create('default', name, { involvedObject: { kind: 'Node', name: 'n' } });

test('compact forgets the history, and the open watches notice nothing', async () => {
  const before = simulator.resourceVersion;
  const watch = await openWatch();
  await create('a');
  await create('b');
  expect(await fault('compact')).toBe(202);
  expect(told([(await watch.next()).value])).toEqual([expect.stringMatching(/^ADDED a /)]);
  expect(await client.watched(EVENTS, `resourceVersion=${before}`)).toMatchObject([{ object: { code: 410 } }]);
  await watch.return(undefined);
});

test('close-watches ends every watch cleanly, with all that was written before', async () => {
  const watch = await openWatch();
  await create('a');
  await fault('close-watches');
  expect(told(await Array.fromAsync(watch))).toEqual([expect.stringMatching(/^ADDED a /)]);
});

test('expire answers the next watches, and only those, in the forms that servers have', async () => {
  const from = `resourceVersion=${simulator.resourceVersion}`;
  await create('a');
  await fault('expire', { form: 'http' });
  await fault('expire', { form: 'line' });
  await fault('expire', { form: 'silent', requests: 2 });
  expect((await client.ask(EVENTS)).status).toBe(200);
  const http = await client.ask(`${EVENTS}?watch=true&${from}`);
  expect(http).toMatchObject({ status: 410, body: { kind: 'Status', reason: 'Expired' } });
  expect(await client.watched(EVENTS, from)).toMatchObject([
    { type: 'ERROR', object: { code: 410, reason: 'Expired' } },
  ]);
  expect(await client.watched(EVENTS, `${from}&timeoutSeconds=60`)).toEqual([]);
  expect(await client.watched(EVENTS, from)).toEqual([]);
  expect(await client.watched(EVENTS, from)).toHaveLength(1);
});

test('answer refuses the next requests of a kind, with the wait that it is told', async () => {
  await fault('answer', { code: 429, retryAfterSeconds: 3, requests: 2, of: 'list' });
  await fault('answer', { code: 401, of: 'watch' });
  expect((await client.ask(`${EVENTS}?watch=true`)).status).toBe(401);
  for (let n = 0; n < 2; n++) {
    const refused = await client.ask(EVENTS);
    expect(refused).toMatchObject({
      status: 429,
      body: { reason: 'TooManyRequests', details: { retryAfterSeconds: 3 } },
    });
    expect(refused.headers['retry-after']).toBe('3');
  }
  expect((await client.ask(EVENTS)).status).toBe(200);
});

test('stall accepts a watch and never tells it anything, nor ends it', async () => {
  await fault('stall');
  await create('a');
  const stalled = client.watch(EVENTS, 'timeoutSeconds=1').next();
  expect(await client.watched(EVENTS, '')).toHaveLength(1);
  await create('b');
  expect(await client.watched(EVENTS, '')).toHaveLength(2);
  expect(await Promise.race([stalled, 'nothing'])).toBe('nothing');
  await simulator[Symbol.asyncDispose]();
  await expect(stalled).rejects.toThrow();
});

test('half-open silences the watches that are open, and not those that come', async () => {
  const watch = await openWatch('&timeoutSeconds=1');
  await fault('half-open');
  const next = watch.next();
  await create('a');
  expect(await client.watched(EVENTS, '')).toHaveLength(2);
  expect(await Promise.race([next, 'nothing'])).toBe('nothing');
  await simulator[Symbol.asyncDispose]();
  await expect(next).rejects.toThrow();
});

test.for([0, 1, 200])('cut breaks the connection at byte %i of the next line', async (byte) => {
  const watch = await openWatch();
  await fault('cut', { byte });
  const next = watch.next();
  await create('a');
  await expect(next).rejects.toThrow(/terminated|other side closed|aborted/);
});

test('garbage comes as a line of its own between two Events', async () => {
  const watch = await openWatch();
  await fault('garbage', { line: '{"type":"ODD","object":{}}' });
  await create('a');
  expect((await watch.next()).value).toEqual({ type: 'ODD', object: {} });
  expect(told([(await watch.next()).value])).toEqual([expect.stringMatching(/^ADDED a /)]);
  await fault('garbage', { line: 'not JSON' });
  await expect(watch.next()).rejects.toThrow(SyntaxError);
});

test('restore sets the cluster back: the counter repeats, and what came later was never there', async () => {
  await create('kept');
  const before = simulator.resourceVersion;
  await create('lost');
  const watch = await openWatch();
  await fault('restore', { resourceVersion: Number(before) });
  expect(await Array.fromAsync(watch)).toEqual([]);
  expect(simulator.resourceVersion).toBe(before);
  const { items } = await client.list(EVENTS);
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['kept']);
  const { metadata } = await create('other');
  expect(metadata.resourceVersion).toBe(String(Number(before) + 1));
  expect(await fault('restore', { resourceVersion: 1_000_000 })).toBe(400);
});

test('hide keeps the next changes from every watch, and lists have them', async () => {
  const watch = await openWatch();
  await fault('hide', { changes: 1 });
  await create('hidden');
  await create('shown');
  expect(told([(await watch.next()).value])).toEqual([expect.stringMatching(/^ADDED shown /)]);
  const { items } = await client.list(EVENTS);
  expect(items.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(['hidden', 'shown']));
});

test('advance lets resourceVersions go by that no Event has', async () => {
  const before = Number(await client.now());
  await fault('advance', { revisions: 7 });
  expect(Number(await client.now())).toBe(before + 7);
});

test('clear forgets what waits for a request', async () => {
  await fault('answer', { code: 500, requests: 100 });
  await fault('clear');
  expect((await client.ask(EVENTS)).status).toBe(200);
});

test('what cannot be asked is refused with what is wrong', async () => {
  expect(await fault('earthquake')).toBe(404);
  const wrong = await client.ask('/faults/answer', { method: 'POST', body: { code: 418 } });
  expect(wrong).toMatchObject({ status: 400, body: { message: expect.stringContaining('code') } });
  expect(Object((await client.ask('/faults')).body)).toHaveProperty('half-open');
});
