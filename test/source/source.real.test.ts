/** The source against a real kube-apiserver on etcd, which these tests compact, kill and freeze: one of their own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/source/cluster.ts';
import { LIMITS } from '../../src/source/limits.ts';
import { backend } from '../backends/backend.ts';
import { compact, etcdRevision } from '../backends/etcd.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter, type WrittenEvent } from '../backends/load.ts';
import { MemoryJournal } from './memory-journal.ts';
import { startOnFile, startSource, temporaryFile } from './running-source.ts';

function idsOf(events: Iterable<WrittenEvent>): string[] {
  return [...events].flatMap(({ uid, resourceVersions }) => resourceVersions.map((rv) => `${uid}.${rv}`));
}

function missing(expected: Iterable<string>, found: ReadonlySet<string>): string[] {
  return [...expected].filter((id) => !found.has(id));
}

describe.skipIf(backend('kube') === null)('the source, on a real API server', () => {
  let kube: KubeBackend;
  let client: KubeClient;
  let cluster: Cluster;

  beforeAll(async () => {
    kube = await startKube();
    client = new KubeClient(kube.address);
    const { server, ca, token } = kube.address;
    cluster = { server: new URL(server), ca, token: async () => token, describe: 'the test' };
  });
  afterAll(async () => {
    await client?.[Symbol.asyncDispose]();
    await kube?.[Symbol.asyncDispose]();
  });

  async function write(writer: EventWriter, namespace: string, count: number): Promise<WrittenEvent[]> {
    const events: WrittenEvent[] = [];
    await writer.each(ordinaryEvents(namespace, count), async (event) => events.push(await writer.create(event)));
    return events;
  }

  it('has every revision: listed on many pages, written while it lists, updated while it watches', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    const events = await write(writer, namespace, 1_200);
    await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
    await write(writer, namespace, 100);
    await writer.each(events.slice(0, 100), (event) => writer.repeat(event));
    await source.until('all are there', () => source.status.counters.appended >= 1_400);
    expect(missing(idsOf(writer.written.values()), await source.ids())).toEqual([]);
    expect(await source.gaps()).toEqual([]);
    expect(source.status.counters).toMatchObject({ skipped: 0, late: 0, failures: 0, appended: 1_400 });
  });

  it('goes on where it stood after a stop, without a list', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    {
      await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
      await source.until('it watches', () => source.status.up);
      await write(writer, namespace, 10);
      await source.until('they are there', () => source.status.counters.appended === 10);
    }
    await write(writer, namespace, 10);
    await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
    await source.until('the rest is there', () => source.status.counters.appended === 10);
    expect(missing(idsOf(writer.written.values()), await source.ids())).toEqual([]);
    expect(source.status.counters.pages).toBe(0);
  });

  it('finds the last revision of every live Event when the history was compacted meanwhile, and says what it cannot have', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    const events = await write(writer, namespace, 20);
    let stopped: string | undefined;
    {
      await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
      await source.until('they are there', () => source.status.counters.appended === 20);
      stopped = source.status.rv;
    }
    await writer.each(events.slice(0, 10), async (event) => writer.repeat(await writer.repeat(event)));
    await writer.each(events.slice(10, 15), (event) => writer.delete(event));
    await compact(kube.address);
    await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
    await source.until('a gap was found', () => source.status.counters.gaps === 1);
    await source.until('it is committed', async () => (await source.gaps()).length === 1);
    const last = [...writer.written.values()].map(({ uid, resourceVersions }) => `${uid}.${resourceVersions.at(-1)}`);
    expect(missing(last, await source.ids())).toEqual([]);
    const [gap] = await source.gaps();
    expect(gap).toMatchObject({ cause: 'compacted', from: stopped, recovered: 10 });
    const order = (await source.records()).map(({ position }) => position);
    expect(order).toEqual(order.toSorted());
  });

  it('has no gap in a quiet namespace, however often the history is compacted behind it', async () => {
    const [quiet, busy] = [await client.createNamespace('quiet'), await client.createNamespace('busy')];
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    await write(writer, quiet, 1);
    const limits = { ...LIMITS, watchSeconds: 1, atOnceMs: 200 };
    await using source = await startOnFile(file.path, { cluster, streams: [quiet], limits });
    for (let turn = 0; turn < 4; turn += 1) {
      await write(writer, busy, 5);
      const listed = await etcdRevision(kube.address);
      const { watches } = source.status.counters;
      await source.until('another two watches', () => source.status.counters.watches >= watches + 2);
      await compact(kube.address, listed);
    }
    await write(writer, quiet, 1);
    await source.until('the late one is there', () => source.status.counters.appended === 2);
    expect(source.status.counters).toMatchObject({ gaps: 0, pages: 1, failures: 0 });
  });

  it('skips nothing when a watch ends by its timeout before it has told all there was', {
    timeout: 240_000,
  }, async () => {
    const namespace = await client.createNamespace('backlog');
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    await write(writer, namespace, 1);
    const limits = { ...LIMITS, watchSeconds: 1, atOnceMs: 10 };
    {
      await using source = await startOnFile(file.path, { cluster, streams: [namespace], limits });
      await source.until('the first one is there', () => source.status.counters.appended === 1);
    }
    await write(writer, namespace, 3_000);
    await using source = await startOnFile(file.path, { cluster, streams: [namespace], limits });
    await expect.poll(() => source.status.counters.appended, { timeout: 60_000 }).toBe(3_000);
    expect(source.status.counters).toMatchObject({ gaps: 0, pages: 0 });
  });

  it('lives through a kill of the API server, and says so once', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
    await source.until('it watches', () => source.status.up);
    await kube.apiserver.kill();
    await source.until('it has tried again', () => source.status.counters.failures >= 3);
    expect(source.status.lastError).toContain('ECONNREFUSED');
    await kube.apiserver.start();
    await write(writer, namespace, 10);
    await source.until('they are there', () => source.status.counters.appended === 10);
    expect(source.status.lastError).toBeUndefined();
    expect(source.logged.filter(({ msg }) => msg.includes('ECONNREFUSED'))).toHaveLength(1);
  });

  it('waits for an API server that is down when it starts', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    const [event] = await write(writer, namespace, 1);
    await kube.apiserver.kill();
    await using source = await startOnFile(file.path, { cluster, streams: [namespace] });
    await source.until('it says so', () => source.status.lastError !== undefined);
    await kube.apiserver.start();
    await source.until('it is there', () => source.status.counters.appended === 1);
    expect(missing(idsOf(event ? [event] : []), await source.ids())).toEqual([]);
  });

  it('comes back to an API server that was frozen', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    const limits = { ...LIMITS, watchSeconds: 1, graceMs: 100 };
    await using source = await startOnFile(file.path, { cluster, streams: [namespace], limits });
    await source.until('it watches', () => source.status.up);
    kube.apiserver.pause();
    await source.until('it says so', () => source.status.lastError !== undefined);
    kube.apiserver.resume();
    await write(writer, namespace, 10);
    await source.until('they are there', () => source.status.counters.appended === 10);
    expect(source.status.counters.gaps).toBe(0);
  });

  it('goes on in the present with a list whose snapshot was compacted, and says so', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    const large = [...ordinaryEvents(namespace, 240)].map((event) => ({ ...event, message: 'x'.repeat(60_000) }));
    await writer.each(large, (event) => writer.create(event));
    const journal = new MemoryJournal();
    journal.block();
    const limits = { ...LIMITS, pageEvents: 200 };
    await using source = startSource(journal, { cluster, streams: [namespace], limits });
    await source.until('the first page has filled the backlog', () => source.status.up);
    await write(writer, namespace, 1);
    await compact(kube.address);
    journal.unblock();
    await source.until('the list is complete', () => source.status.rv !== undefined && source.status.paging === 'idle');
    expect(missing(idsOf(writer.written.values()), await source.ids())).toEqual([]);
    // On a slow machine the watch, which nobody reads meanwhile, is the first to find its place compacted.
    const cause = expect.stringMatching(/^(expired-token|compacted)$/);
    expect(await source.gaps()).toMatchObject([{ cause }]);
  });

  it('begins now when it is told to, and goes on from there after a stop', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    await write(writer, namespace, 3);
    const options = { cluster, streams: [namespace], startFrom: 'now' } as const;
    {
      await using source = await startOnFile(file.path, options);
      await source.until('it watches', () => source.status.up);
    }
    const late = await write(writer, namespace, 2);
    await using source = await startOnFile(file.path, options);
    await source.until('the late ones are there', () => source.status.counters.appended === 2);
    expect([...(await source.ids())].sort()).toEqual(idsOf(late).sort());
  });

  it('says which rule is missing when it may not read, and goes on as soon as it may', async () => {
    const namespace = await client.createNamespace();
    await using file = await temporaryFile();
    const token = await client.createServiceAccount({ namespace, name: 'fanout', rules: [] });
    const powerless = { ...cluster, token: async () => token };
    await using source = await startOnFile(file.path, { cluster: powerless, streams: [namespace] });
    await source.until('it says so', () => source.status.lastError !== undefined);
    expect(source.status.lastError).toContain(`in a Role in namespace ${namespace}`);
    expect(source.status.lastError).toContain('- apiGroups: [""]\n  resources: [events]\n  verbs: [get, list, watch]');
    const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/fanout`;
    const rules = [{ apiGroups: [''], resources: ['events'], verbs: ['get', 'list', 'watch'] }];
    await client.send('PATCH', role, { rules });
    await source.until('it watches', () => source.status.up && source.status.lastError === undefined);
  });

  it('asks for new credentials when the API server does not take the old ones', async () => {
    const namespace = await client.createNamespace();
    await using file = await temporaryFile();
    const expired = { ...cluster, token: async () => 'expired', renew: async () => cluster };
    await using source = await startOnFile(file.path, { cluster: expired, streams: [namespace] });
    await source.until('it watches', () => source.status.up);
    expect(source.status.counters.failures).toBe(0);
  });

  it('reads only what the field selector lets through', async () => {
    const namespace = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    const events = [...ordinaryEvents(namespace, 2)].map((event, index) => ({ ...event, reason: `R${index}` }));
    await writer.each(events, (event) => writer.create(event));
    await using source = await startOnFile(file.path, { cluster, streams: [namespace], fieldSelector: 'reason=R1' });
    await source.until('one is there', () => source.status.counters.appended === 1);
    const [event] = [...writer.written.values()];
    if (event) await writer.repeat(event);
    const other = [...ordinaryEvents(namespace, 1)].map((each) => ({ ...each, reason: 'R1' }));
    await writer.each(other, (each) => writer.create(each));
    await source.until('another is there', () => source.status.counters.appended >= 2);
    const reasons = (await source.records()).map(({ attributes }) => attributes.reason);
    expect(new Set(reasons)).toEqual(new Set(['R1']));
  });
});
