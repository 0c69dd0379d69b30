import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { backend } from './backend.ts';
import { compact, etcdRevision } from './etcd.ts';
import { coreEvent, hostileEvents, ordinaryEvents } from './events.ts';
import { type KubeAddress, startKube } from './kube.ts';
import { KubeClient, writeKubeconfig } from './kube-client.ts';
import { EventWriter } from './load.ts';
import { record } from './recorder.ts';
import { type TruthRevision, watchTruth } from './truth.ts';

const kube = backend('kube');
const CoreEvents = z.object({ items: z.array(z.object({ message: z.string(), involvedObject: z.object({}) })) });
const Events = z.object({ items: z.array(z.object({ note: z.string(), regarding: z.object({}) })) });

describe.skipIf(!kube?.etcd)('the API server', () => {
  const address: KubeAddress = kube ?? { server: '', ca: '', token: '' };

  test('tells the truth: each acknowledged write of an Event, hostile or not, is one revision in etcd', async () => {
    await using client = new KubeClient(address);
    await using truth = await watchTruth(address, 'now');
    await using writer = new EventWriter(address);
    const namespace = await client.createNamespace();
    await writer.each([...ordinaryEvents(namespace, 100, 10), ...hostileEvents(namespace)], async (event) => {
      const written = await writer.create(event);
      if (written.uid < '4') await writer.repeat(await writer.repeat(written));
    });
    await truth.upTo();
    for (const { uid, resourceVersions } of writer.written.values())
      expect(revisionsOf(truth.revisions, uid)).toEqual(resourceVersions);
    expect(writer.written.size).toBeGreaterThan(150);
  });

  test('tells of what is deleted', async () => {
    await using client = new KubeClient(address);
    await using truth = await watchTruth(address, 'now');
    await using writer = new EventWriter(address);
    const namespace = await client.createNamespace();
    for (const event of ordinaryEvents(namespace, 1)) await writer.delete(await writer.create(event));
    await truth.upTo();
    const deleted = truth.revisions
      .filter((revision) => revision.namespace === namespace)
      .map(({ deleted }) => deleted);
    expect(deleted).toEqual([false, true]);
  });

  test('lets a ServiceAccount do what its rules say and nothing else', async () => {
    await using client = new KubeClient(address);
    const namespace = await client.createNamespace();
    const rules = [{ apiGroups: [''], resources: ['events'], verbs: ['get', 'list', 'watch'] }];
    const token = await client.createServiceAccount({ namespace, name: 'reader', rules });
    await using reader = new KubeClient({ ...address, token });
    expect((await reader.send('GET', `/api/v1/namespaces/${namespace}/events`)).status).toBe(200);
    expect((await reader.send('GET', '/api/v1/events')).status).toBe(403);
    const event = coreEvent('not-allowed', { namespace, involvedObject: { namespace } });
    expect((await reader.send('POST', `/api/v1/namespaces/${namespace}/events`, event)).status).toBe(403);
  });

  test('is reached by the kubeconfig that is written for it', async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-kubeconfig-'));
    const file = join(directory.path, 'config');
    await writeKubeconfig(file, address);
    const config = new KubeConfig();
    config.loadFromFile(file);
    const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
    expect(items.map(({ metadata }) => metadata?.name)).toContain('default');
  });

  test("holds what client-go's recorders make, in both shapes", async () => {
    await using client = new KubeClient(address);
    await using truth = await watchTruth(address, 'now');
    const namespace = await client.createNamespace();
    const made = await record(address, { namespace, objects: 3, repeats: 5, distinct: 15 });
    await truth.upTo();
    const revisions = truth.revisions.filter((revision) => revision.namespace === namespace);
    expect(revisions.length).toBe(made.record.revisions + made.events.revisions);
    expect(highestCounts(revisions, 'BackOff')).toEqual([5, 5, 5]);
    expect(highestCounts(revisions, 'FailedMount')).toEqual([5, 5, 5]);
    const core = CoreEvents.parse(await client.get(`/api/v1/namespaces/${namespace}/events`)).items;
    const events = Events.parse(await client.get(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`)).items;
    expect(events.map(({ note }) => note)).toEqual(core.map(({ message }) => message));
    expect(events.filter(({ note }) => note.startsWith('(combined from similar events)'))).toHaveLength(3);
  });
});

describe.skipIf(!kube?.etcd)('an API server of a test’s own', () => {
  test('forgets its history when that is compacted: an old watch gets 410', async () => {
    await using own = await startKube();
    await using client = new KubeClient(own.address);
    await using writer = new EventWriter(own.address);
    await using truth = await watchTruth(own.address);
    const before = await etcdRevision(own.address);
    await writer.each(ordinaryEvents('default', 20), (event) => writer.create(event));
    await truth.upTo();
    await compact(own.address);
    const path = `/api/v1/events?watch=true&timeoutSeconds=1&resourceVersion=${before}`;
    expect(await client.get(path)).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect(truth.revisions.filter(({ involved }) => involved.kind === 'Pod')).toHaveLength(20);
    await expect(watchTruth(own.address)).rejects.toThrow(/compacted/);
  }, 240_000);

  test('comes back from a kill, as does its etcd, while Events are written, and the truth misses nothing', async () => {
    await using own = await startKube();
    await using writer = new EventWriter(own.address);
    await using truth = await watchTruth(own.address);
    const writing = writer.each(ordinaryEvents('default', 1_000), (event) => writer.create(event));
    await expect.poll(() => writer.written.size, { timeout: 30_000 }).toBeGreaterThan(100);
    await own.apiserver.kill();
    await own.apiserver.start();
    await own.etcd.kill();
    await own.etcd.start();
    await writing;
    await truth.upTo();
    expect(writer.written.size).toBe(1_000);
    const stored = new Set(truth.revisions.map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`));
    for (const { uid, resourceVersions } of writer.written.values())
      for (const resourceVersion of resourceVersions) expect(stored).toContain(`${uid}.${resourceVersion}`);
  }, 240_000);
});

function revisionsOf(revisions: readonly TruthRevision[], uid: string): string[] {
  return revisions.filter((revision) => revision.uid === uid).map(({ resourceVersion }) => resourceVersion);
}

/** The highest count of each Event with this reason. */
function highestCounts(revisions: readonly TruthRevision[], reason: string): number[] {
  const highest = new Map<string, number>();
  for (const revision of revisions.filter((candidate) => candidate.reason === reason))
    highest.set(revision.uid, Math.max(revision.count, highest.get(revision.uid) ?? 0));
  return [...highest.values()];
}
