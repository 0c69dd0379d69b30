/** Audits of a simulated cluster that hides changes from watches, or is restored and overtakes the checkpoint. */
import { expect, it, vi } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import type { Cluster } from '../../src/source/cluster.ts';
import { LIMITS, type Limits } from '../../src/source/limits.ts';
import { MemoryJournal } from './memory-journal.ts';
import { type RunningSource, startOnFile, startSource, temporaryFile } from './running-source.ts';

vi.setConfig({ testTimeout: 30_000 });

const QUICK: Limits = { ...LIMITS, waits: 0.05, auditPauseMs: 1 };
const WRITES = { rate: 1_000, forSeconds: 0.02, objects: 10, updates: 0 };

function on(address: string, limits: Partial<Limits> = {}) {
  const cluster: Cluster = { server: new URL(address), token: async () => undefined, describe: 'the simulator' };
  return { cluster, streams: ['_all'], limits: { ...QUICK, ...limits } };
}

async function audited(source: RunningSource): Promise<void> {
  const { audits } = source.status.counters;
  await source.until('another audit has ended', () => source.status.counters.audits > audits);
}

it('finds after a restart what the watch never told, delivers it in a new epoch, and once', async () => {
  await using simulator = await startSimulator();
  await using file = await temporaryFile();
  const options = on(simulator.address, { pageEvents: 7 });
  const everything = () => [...simulator.emitted].map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`);
  {
    await using source = await startOnFile(file.path, options);
    await source.until('it watches', () => source.status.up);
    await simulator.load(WRITES);
    simulator.faults.hide(5);
    await simulator.load(WRITES);
    await source.until('the others are there', () => source.status.rv === simulator.resourceVersion);
    expect((await source.ids()).size).toBe(everything().length - 5);
  }
  for (const found of [5, 0, 0]) {
    await using source = await startOnFile(file.path, options);
    await audited(source);
    expect(source.status.counters).toMatchObject({ found, gaps: 0, pages: 0 });
    expect(source.status.lastAudit).toMatchObject({ looked: everything().length, found });
    await source.until('nothing is missing', async () => (await source.ids()).size === everything().length);
    const records = await source.records();
    expect(records).toHaveLength(everything().length);
    expect(records.slice(-5).map(({ epoch, position }) => `${epoch} ${position}`)).toEqual(
      records
        .slice(-5)
        .map(({ position }) => `1 ${position}`)
        .toSorted(),
    );
    if (found > 0) expect(source.logged.filter(({ msg }) => msg.includes('the watch had never told'))).toHaveLength(1);
  }
  await using source = await startOnFile(file.path, options);
  await source.until('it watches', () => source.status.up);
  await simulator.load(WRITES);
  await source.until('the watch goes on behind them', async () => (await source.ids()).size === everything().length);
});

it('delivers everything anew, behind a gap record, of a cluster that was restored and has overtaken the checkpoint', async () => {
  await using simulator = await startSimulator();
  await using file = await temporaryFile();
  const options = on(simulator.address);
  await simulator.load(WRITES);
  const back = Number(simulator.resourceVersion);
  let from: string | undefined;
  {
    await using source = await startOnFile(file.path, options);
    await source.until('it watches', () => source.status.up);
    await simulator.load(WRITES);
    await source.until('all are there', () => source.status.rv === simulator.resourceVersion);
    from = source.status.rv;
  }
  simulator.faults.restore(back);
  while (Number(simulator.resourceVersion) <= Number(from)) await simulator.load(WRITES);
  await using source = await startOnFile(file.path, options);
  await source.until('it is in another epoch', () => source.status.epoch === 1 && source.status.rv !== undefined);
  expect(await source.gaps()).toMatchObject([{ cause: 'restored', from }]);
  const anew = (await source.records()).filter(({ epoch }) => epoch === 1);
  expect(anew[0]?.kind).toBe('gap');
  expect(JSON.parse(Buffer.from(anew[0]?.data ?? '').toString()).note).toContain('had overtaken resourceVersion');
  const response = await fetch(`${simulator.address}/api/v1/events`);
  const { items } = Object(await response.json());
  const live = Array.from(items, (item) => Object(item).metadata).map(
    ({ uid, resourceVersion }) => `${uid}.${resourceVersion}`,
  );
  expect(
    anew
      .slice(1)
      .map(({ attributes }) => attributes.id)
      .toSorted(),
  ).toEqual(live.toSorted());
  expect(source.status.counters.found).toBeGreaterThan(0);
});

it('finds nothing at or below the floor of a start from now', async () => {
  await using simulator = await startSimulator();
  await using file = await temporaryFile();
  await simulator.load(WRITES);
  for (const audits of [0, 1]) {
    await using source = await startOnFile(file.path, { ...on(simulator.address), startFrom: 'now' });
    await source.until('it watches', () => source.status.up);
    await source.until('it has audited', () => source.status.counters.audits === audits);
    expect(await source.records()).toEqual([]);
  }
});

it('is due again by the clock, and after an outage', async () => {
  await using simulator = await startSimulator();
  await using often = startSource(new MemoryJournal(), on(simulator.address, { auditEveryMs: 20 }));
  await audited(often);
  await audited(often);
  await using seldom = startSource(new MemoryJournal(), on(simulator.address, { auditAfterOutageMs: 10 }));
  await seldom.until('it watches', () => seldom.status.up);
  await simulator.load(WRITES);
  simulator.faults.answer({ code: 503, requests: 2 });
  simulator.faults.cut(0);
  await simulator.load(WRITES);
  await audited(seldom);
  expect(seldom.status.counters).toMatchObject({ found: 0, audits: 1 });
});
