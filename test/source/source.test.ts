/** The source against a simulated API server that does on demand what a real one does once a year. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { Cluster } from '../../src/source/cluster.ts';
import { LIMITS, type Limits } from '../../src/source/limits.ts';
import { MemoryJournal } from './memory-journal.ts';
import { type RunningSource, startSource } from './running-source.ts';

vi.setConfig({ testTimeout: 30_000 });

const ALL = ['_all'];
const QUICK: Limits = { ...LIMITS, waits: 0.05 };

function clusterOf(simulator: Simulator, token?: string): Cluster {
  return { server: new URL(simulator.address), token: async () => token, describe: 'the simulator' };
}

async function watching(simulator: Simulator, journal: MemoryJournal, options: object = {}): Promise<RunningSource> {
  const source = startSource(journal, { cluster: clusterOf(simulator), streams: ALL, limits: QUICK, ...options });
  await source.until('it watches', () => source.status.up);
  return source;
}

function write(simulator: Simulator, count: number, bytes = 1_000): Promise<unknown> {
  return simulator.load({ rate: count * 20, forSeconds: 0.05, objects: 10, bytes });
}

/** Every revision that was written, or the last of each Event. */
function idsOf(simulator: Simulator, which: 'every' | 'last' = 'every'): Set<string> {
  const last = new Map([...simulator.emitted].map(({ uid, resourceVersion }) => [uid, resourceVersion]));
  const all = [...simulator.emitted].map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`);
  return new Set<string>(which === 'every' ? all : [...last].map(([uid, rv]) => `${uid}.${rv}`));
}

async function missing(expected: Set<string>, source: RunningSource): Promise<readonly string[]> {
  const found = await source.ids();
  return [...expected].filter((id) => !found.has(id));
}

async function nothingMissing(simulator: Simulator, source: RunningSource, which: 'every' | 'last' = 'every') {
  await source.until('nothing is missing', async () => (await missing(idsOf(simulator, which), source)).length === 0);
}

async function inOrder(source: RunningSource): Promise<void> {
  const records = await source.records();
  for (const epoch of new Set(records.map((record) => record.epoch))) {
    const positions = records.filter((record) => record.epoch === epoch).map(({ position }) => position);
    expect(positions).toEqual(positions.toSorted());
  }
}

describe('a history that is gone', () => {
  it.each([
    ['HTTP 410', 'http', 1],
    ['an ERROR line', 'line', 1],
    ['three clean closes at once', 'silent', 3],
  ] as const)('is found by %s, listed again, and announced by one gap record', async (_, form, requests) => {
    await using simulator = await startSimulator();
    await write(simulator, 50);
    await using source = await watching(simulator, new MemoryJournal(), { limits: { ...QUICK, atOnceMs: 500 } });
    await nothingMissing(simulator, source, 'last');
    const { rv } = source.status;
    simulator.faults.expire(form, requests);
    simulator.faults.closeWatches();
    await write(simulator, 50);
    await source.until('it has told of the gap', async () => (await source.gaps()).length > 0);
    await nothingMissing(simulator, source, 'last');
    expect(await source.gaps()).toMatchObject([{ cause: 'compacted', from: rv }]);
    await inOrder(source);
  });

  it('and answered for ever by an ERROR line of code 500 is listed after the third', async () => {
    await using simulator = await startSimulator();
    await using source = await watching(simulator, new MemoryJournal());
    simulator.faults.advance(1);
    const object = { kind: 'Status', code: 500, message: 'unable to read the revision before' };
    for (let watches = 1; watches <= 3; watches += 1) {
      await source.until('another watch', () => source.status.up && source.status.counters.watches === watches);
      expect(source.status.counters.pages).toBe(1);
      simulator.faults.garbage(JSON.stringify({ type: 'ERROR', object }));
      await source.until('it has ended', () => source.status.counters.failures === watches);
    }
    await source.until('it has listed', async () => (await source.gaps()).length === 1);
  });

  it('while a list is under way is skipped by the new token, and said in the end', async () => {
    await using simulator = await startSimulator();
    await simulator.load({ rate: 12_000, forSeconds: 0.05, bytes: 30_000, updates: 0 });
    const journal = new MemoryJournal();
    journal.block();
    await using source = await watching(simulator, journal);
    simulator.faults.advance(1);
    simulator.faults.compact();
    journal.unblock();
    await source.until('the list is complete', () => source.status.paging === 'idle' && source.status.rv !== undefined);
    expect(await source.gaps()).toMatchObject([{ cause: 'expired-token', recovered: source.status.counters.listed }]);
    await nothingMissing(simulator, source, 'last');
    await inOrder(source);
  });

  it('that was replaced by a backup opens another epoch, and is told from its beginning', async () => {
    await using simulator = await startSimulator();
    await write(simulator, 20);
    const back = Number(simulator.resourceVersion);
    await using source = await watching(simulator, new MemoryJournal());
    await write(simulator, 20);
    await nothingMissing(simulator, source, 'last');
    const from = source.status.rv;
    simulator.faults.restore(back);
    await source.until('it is in another epoch', () => source.status.epoch === 1 && source.status.rv === `${back}`);
    await write(simulator, 5);
    await nothingMissing(simulator, source, 'last');
    expect(await source.gaps()).toMatchObject([{ cause: 'restored', from, to: `${back}` }]);
    const first = (await source.records()).find(({ epoch }) => epoch === 1);
    expect(first?.kind).toBe('gap');
    await inOrder(source);
  });
});

describe('a connection', () => {
  it('that stands is announced once, by what it watches', async () => {
    await using simulator = await startSimulator();
    await using source = await watching(simulator, new MemoryJournal());
    simulator.faults.closeWatches();
    await source.until('another watch', () => source.status.counters.watches > 1 && source.status.up);
    const announced = source.logged.filter(({ msg }) => msg.startsWith('watching'));
    expect(announced.map(({ msg }) => msg)).toEqual([`watching all namespaces of ${new URL(simulator.address).host}`]);
  });

  it('that breaks at any byte loses nothing', async () => {
    await using simulator = await startSimulator();
    await using source = await watching(simulator, new MemoryJournal(), { limits: { ...QUICK, atOnceMs: 0 } });
    for (let byte = 0; byte < 5_000; byte += 317) {
      simulator.faults.cut(byte);
      await write(simulator, 20);
      await nothingMissing(simulator, source);
    }
    expect(source.status.counters).toMatchObject({ gaps: 0, skipped: 0, late: 0 });
    await inOrder(source);
  });

  it('that is dead without a word is given up, and replaced', async () => {
    await using simulator = await startSimulator();
    await using source = await watching(simulator, new MemoryJournal(), {
      limits: { ...QUICK, watchSeconds: 1, graceMs: 100 },
    });
    simulator.faults.halfOpen();
    await write(simulator, 20);
    await nothingMissing(simulator, source);
    expect(source.logged.map(({ msg }) => msg).join()).toContain('has been silent');
  });

  it('that answers the question for a watch and then nothing is given up too', async () => {
    await using simulator = await startSimulator();
    simulator.faults.stall();
    await using source = await watching(simulator, new MemoryJournal(), {
      limits: { ...QUICK, watchSeconds: 1, graceMs: 100 },
    });
    await write(simulator, 20);
    await nothingMissing(simulator, source);
  });
});

describe('an answer other than the one that was asked for', () => {
  it.each([429, 500, 503, 504] as const)('of %i is waited out', async (code) => {
    await using simulator = await startSimulator();
    await write(simulator, 20);
    simulator.faults.answer({ code, retryAfterSeconds: 1, of: 'list' });
    await using source = startSource(new MemoryJournal(), {
      cluster: clusterOf(simulator),
      streams: ALL,
      limits: QUICK,
    });
    await nothingMissing(simulator, source, 'last');
    await source.until('it watches', () => source.status.up);
    expect(source.status.counters.failures).toBe(1);
    expect(source.status.lastError).toBeUndefined();
  });

  it('of 401 names the credentials, and never the token', async () => {
    await using simulator = await startSimulator({ tokens: {} });
    const cluster = clusterOf(simulator, 'a-secret');
    await using source = startSource(new MemoryJournal(), { cluster, streams: ALL, limits: QUICK });
    await source.until('it says so', () => source.status.lastError !== undefined);
    expect(source.status.lastError).toContain('does not accept the credentials (the simulator)');
    expect(JSON.stringify(source.logged)).not.toContain('a-secret');
  });

  it('whose resourceVersion has no order stops the stream, in words', async () => {
    const list = JSON.stringify({ metadata: { resourceVersion: 'v-1' }, items: [] });
    await using server = createServer((_, answer) => void answer.end(list)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const cluster = { server: new URL(`http://127.0.0.1:${port}`), token: async () => undefined, describe: 'it' };
    await using source = startSource(new MemoryJournal(), { cluster, streams: ALL, limits: QUICK });
    await source.until('it is refused', () => source.status.phase === 'refused');
    expect(source.status.lastError).toContain('"v-1"');
  });

  it('is logged once, until it is another', async () => {
    await using simulator = await startSimulator();
    simulator.faults.answer({ code: 503, requests: 3 });
    simulator.faults.answer({ code: 500, requests: 2 });
    await using source = await watching(simulator, new MemoryJournal());
    expect(source.logged.filter(({ level }) => level >= 50)).toHaveLength(2);
  });
});

describe('a line', () => {
  it.each([
    ['no JSON', '{"type":"ADDED","object":'],
    ['no Event', '{"type":"ADDED","object":{"kind":"Pod","metadata":{"resourceVersion":"1"}}}'],
    ['without an order', '{"type":"ADDED","object":{"kind":"Event","metadata":{"resourceVersion":"v-1"}}}'],
  ])('that is %s ends the watch with words, and the next one loses nothing', async (_, line) => {
    await using simulator = await startSimulator();
    await using source = await watching(simulator, new MemoryJournal());
    await write(simulator, 20);
    simulator.faults.garbage(line);
    await write(simulator, 20);
    await nothingMissing(simulator, source);
    expect(source.status.counters).toMatchObject({ damaged: 1, gaps: 0, late: 0 });
    expect(source.logged.filter(({ msg }) => msg.includes('its bytes were changed on the way'))).toHaveLength(1);
    await inOrder(source);
  });

  it('that is damaged each time is gone round by a list after the third, and announced', async () => {
    await using simulator = await startSimulator();
    await using source = await watching(simulator, new MemoryJournal());
    simulator.faults.advance(1);
    for (let watches = 1; watches <= 3; watches += 1) {
      await source.until('another watch', () => source.status.up && source.status.counters.watches === watches);
      simulator.faults.garbage('hello');
      await source.until('it has ended', () => source.status.counters.damaged === watches);
    }
    await source.until('it has listed', async () => (await source.gaps()).length === 1);
  });
});

describe('a journal', () => {
  it('that takes nothing for a while has the watch closed and gone on with afterwards', async () => {
    await using simulator = await startSimulator();
    const journal = new MemoryJournal();
    await using source = await watching(simulator, journal, { limits: { ...QUICK, unreadMs: 50 } });
    journal.block();
    await write(simulator, 200, 100_000);
    await source.until('the watch is closed', () => source.status.phase === 'waiting');
    const { lines } = source.status.counters;
    expect(lines).toBeLessThan(200);
    await write(simulator, 100, 100_000);
    expect(source.status.counters.lines).toBe(lines);
    journal.unblock();
    await nothingMissing(simulator, source);
    expect(source.status.counters).toMatchObject({ gaps: 0, late: 0 });
  });

  it('that fails ends the source with its words', async () => {
    await using simulator = await startSimulator();
    const journal = new MemoryJournal();
    const source = await watching(simulator, journal);
    journal.failure = new Error('the disk is gone');
    await write(simulator, 1);
    await expect(source.ended).rejects.toThrow('the disk is gone');
  });
});

it('lists Events that are too large for whole pages in smaller ones', async () => {
  await using simulator = await startSimulator();
  await simulator.load({ rate: 1_500, forSeconds: 0.05, objects: 75, bytes: 500_000, updates: 0 });
  await using source = startSource(new MemoryJournal(), { cluster: clusterOf(simulator), streams: ALL });
  await nothingMissing(simulator, source);
  expect(source.status.counters).toMatchObject({ listed: 75, failures: 0 });
});

it('reads several namespaces, each on its own, and nothing else', async () => {
  await using simulator = await startSimulator();
  await write(simulator, 40);
  const streams = ['load-0', 'load-1'];
  await using source = startSource(new MemoryJournal(), { cluster: clusterOf(simulator), streams });
  await source.until('both watch', () => source.statuses.every(({ up, rv }) => up && rv !== undefined));
  const namespaces = (await source.records()).map(({ attributes }) => attributes.namespace);
  expect(new Set(namespaces)).toEqual(new Set(['load-0']));
  expect(source.statuses.map(({ counters }) => counters.appended)).not.toContain(0);
});

it.each(['probing', 'watching', 'waiting'] as const)('stops at once while %s', async (phase) => {
  await using simulator = await startSimulator();
  if (phase === 'waiting') simulator.faults.answer({ code: 503, retryAfterSeconds: 60 });
  const source = startSource(new MemoryJournal(), { cluster: clusterOf(simulator), streams: ALL, limits: QUICK });
  await source.until(phase, () => source.status.phase === phase);
  await source[Symbol.asyncDispose]();
});
