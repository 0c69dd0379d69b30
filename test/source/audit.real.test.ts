/**
 * Audits of a real cluster: a proxy hides changes from the watch, and etcd is restored from a backup and has overtaken the
 * checkpoint before the daemon returns. AUDIT_EVENTS=20000 measures what an audit of so many costs.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Cluster } from '../../src/source/cluster.ts';
import { LIMITS } from '../../src/source/limits.ts';
import { backend } from '../backends/backend.ts';
import { etcdRevision } from '../backends/etcd.ts';
import { restoreBackup, saveBackup } from '../backends/etcd-backup.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter, type WrittenEvent } from '../backends/load.ts';
import { byLine, Tap } from '../main-job/tap.ts';
import { startOnFile, temporaryFile } from './running-source.ts';

vi.setConfig({ testTimeout: 240_000 });

const EVENTS = Number(process.env.AUDIT_EVENTS ?? 400);
const LIMITS_OF_A_TEST = { ...LIMITS, auditPauseMs: 20, pageEvents: Math.min(500, EVENTS / 4) };

function lastOf(events: Iterable<WrittenEvent>): string[] {
  return [...events].map(({ uid, resourceVersions }) => `${uid}.${resourceVersions.at(-1)}`);
}

describe.skipIf(backend('kube') === null)('an audit, on a real API server', () => {
  let kube: KubeBackend;
  let client: KubeClient;
  let direct: Cluster;

  beforeAll(async () => {
    kube = await startKube();
    client = new KubeClient(kube.address);
    const { server, ca, token } = kube.address;
    direct = { server: new URL(server), ca, token: async () => token, describe: 'the test' };
  });
  afterAll(async () => {
    await client?.[Symbol.asyncDispose]();
    await kube?.[Symbol.asyncDispose]();
  });

  async function write(writer: EventWriter, namespace: string, count: number, reason: string): Promise<WrittenEvent[]> {
    const events: WrittenEvent[] = [];
    const wanted = [...ordinaryEvents(namespace, count)].map((event) => ({ ...event, reason }));
    await writer.each(wanted, async (event) => events.push(await writer.create(event)));
    return events;
  }

  it('finds, and delivers once, what a proxy hides from the watch', async () => {
    const stream = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    await using tap = await Tap.open(kube.address);
    let hidden = 0;
    tap.meddle = byLine((line) => {
      if (!line.includes('"reason":"Hidden"')) return [line];
      hidden += 1;
      return [];
    });
    const { server, token } = tap.address;
    const cluster = { server: new URL(server), token: async () => token, describe: 'the proxy' };
    const options = { cluster, streams: [stream], limits: LIMITS_OF_A_TEST };
    const seen = await write(writer, stream, EVENTS, 'Seen');
    {
      await using source = await startOnFile(file.path, options);
      await source.until('the list is there', () => source.status.counters.appended === EVENTS);
      await write(writer, stream, 20, 'Hidden');
      const last = await write(writer, stream, 5, 'Seen');
      await source.until('the last are there', () => source.status.counters.appended === EVENTS + 5);
      expect(hidden).toBe(20);
      // One that has changed is the watch's business again.
      await writer.each(last, (event) => writer.repeat(event));
      await source.until('the changes are there', () => source.status.counters.appended === EVENTS + 10);
      await writer.each(seen.slice(0, 10), (event) => writer.delete(event));
    }
    for (const found of [20, 0]) {
      const pages = tap.pages;
      const began = performance.now();
      await using source = await startOnFile(file.path, options);
      await expect.poll(() => source.status.counters.audits, { timeout: 120_000 }).toBe(1);
      const ms = Math.round(performance.now() - began);
      process.stdout.write(
        `an audit of ${source.status.lastAudit?.looked} Events: ${tap.pages - pages} pages in ${ms} ms, found ${found}\n`,
      );
      expect(source.status.counters).toMatchObject({ found, gaps: 0, pages: 0 });
      await source.until('they are there', async () => (await source.ids()).size === EVENTS + 30);
      const ids = await source.ids();
      expect(lastOf(writer.written.values()).filter((id) => !ids.has(id))).toEqual([]);
      expect(await source.records()).toHaveLength(EVENTS + 30);
    }
  });

  it('tells of a restore that the cluster has overtaken: all its Events, in a new epoch behind a gap record', async () => {
    const stream = await client.createNamespace();
    await using writer = new EventWriter(kube.address);
    await using file = await temporaryFile();
    await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-backup-'));
    const backup = join(directory.path, 'snapshot.db');
    const options = { cluster: direct, streams: [stream], limits: LIMITS_OF_A_TEST };
    const kept = await write(writer, stream, 30, 'Kept');
    await saveBackup(kube.address, backup);
    let from = '';
    {
      await using source = await startOnFile(file.path, options);
      await source.until('the list is there', () => source.status.counters.appended === 30);
      await write(writer, stream, 60, 'Lost');
      await source.until('all are there', () => source.status.counters.appended === 90);
      from = source.status.rv ?? '';
    }
    await restoreBackup(kube, backup);
    await using later = new EventWriter(kube.address);
    const fresh: WrittenEvent[] = [];
    while ((await etcdRevision(kube.address)) <= BigInt(from)) fresh.push(...(await write(later, stream, 20, 'New')));
    await using source = await startOnFile(file.path, options);
    await source.until('the new epoch can be read', () => source.status.epoch === 1 && source.status.rv !== undefined);
    const [gap] = await source.gaps();
    expect(gap).toMatchObject({ cause: 'restored', from });
    const anew = (await source.records()).filter(({ epoch }) => epoch === 1);
    expect(anew[0]?.kind).toBe('gap');
    const ids = anew.flatMap(({ kind, attributes: { id } }) => (kind === 'gap' ? [] : id));
    expect(ids.toSorted()).toEqual(lastOf([...kept, ...fresh]).toSorted());
    expect(source.status.counters.found).toBeGreaterThan(0);
    const [more] = await write(later, stream, 1, 'New');
    await source.until('the watch goes on', async () => (await source.ids()).has(lastOf(more ? [more] : [])[0] ?? ''));
  });
});
