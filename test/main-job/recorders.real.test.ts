import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { backend } from '../backends/backend.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { freePort } from '../backends/process.ts';
import { record } from '../backends/recorder.ts';
import { type TruthRevision, watchTruth } from '../backends/truth.ts';
import { schemaErrors } from '../envelope/schema.ts';
import { booksOf, idOf, tableOf } from './books.ts';
import { startDaemonProcess, until, watching } from './daemon-process.ts';
import type { Seen } from './seen.ts';
import { everythingTo, natsSubscriber } from './subscribers.ts';

const kube = backend('kube');
const nats = backend('nats');

const RECORDING = { objects: 3, repeats: 5, distinct: 15 };
/** What tools/events emits; all other reasons are of tools/record. */
const SERIES = 'FailedMount';

const Data = z.object({ count: z.number(), note: z.string(), firstTime: z.string(), lastTime: z.string() });

describe.skipIf(!kube?.etcd || !nats)('Events of client-go’s own recorders', () => {
  test('arrive with every count of their series and aggregates, and both APIs speak one vocabulary', async () => {
    if (!kube || !nats) return;
    await using scope = new AsyncDisposableStack();
    const client = scope.use(new KubeClient(kube));
    const namespace = await client.createNamespace('recorders');
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-recorders-')));
    const subscriber = scope.use(await natsSubscriber(nats));
    const truth = scope.use(await watchTruth(kube, 'now'));
    const metrics = { host: '127.0.0.1', port: await freePort() };
    const daemon = scope.use(
      await startDaemonProcess({
        directory,
        kube,
        source: { namespaces: [namespace] },
        ...everythingTo(subscriber),
        more: { metrics },
      }),
    );
    await watching(metrics.port);

    const written = await record(kube, { namespace, ...RECORDING });
    await truth.upTo();
    const revisions = truth.revisions.filter((one) => one.namespace === namespace);
    expect(revisions).toHaveLength(written.record.revisions + written.events.revisions);
    await until('all have arrived', async () => (await subscriber.count()) >= revisions.length);
    await daemon.stop();

    const seen = await subscriber.seen();
    const books = booksOf(subscriber.route, { truth: revisions, seen });
    console.log(tableOf([books]));
    expect(books).toMatchObject({ missing: [], disorder: [], unknown: [] });
    expectCounts(seen, revisions);
    expectOneVocabulary(seen);
  });
});

function expectCounts(seen: readonly Seen[], revisions: readonly TruthRevision[]): void {
  const truth = new Map(revisions.map((one) => [idOf(one), one]));
  for (const { id, data } of seen) {
    expect(schemaErrors(data)).toEqual([]);
    const { count, firstTime, lastTime } = Data.parse(data);
    // The newer API has no count before there is a series; it has occurred all the same.
    expect({ id, count }).toEqual({ id, count: truth.get(id)?.count || 1 });
    expect(Date.parse(firstTime)).toBeLessThanOrEqual(Date.parse(lastTime));
  }
  const highest = (reason: string) =>
    Math.max(
      ...seen.filter(({ attributes }) => attributes.reason === reason).map(({ data }) => Data.parse(data).count),
    );
  const { repeats } = RECORDING;
  expect(highest('BackOff')).toBe(repeats);
  expect(highest(SERIES)).toBe(repeats);
  const combined = seen.filter(({ data }) => Data.parse(data).note.startsWith('(combined from similar events)'));
  expect(Math.max(...combined.map(({ data }) => Data.parse(data).count))).toBeGreaterThan(1);
}

/** Whichever recorder wrote it, an Event has the same attributes, and what it is about is named in one form. */
function expectOneVocabulary(seen: readonly Seen[]): void {
  const names = new Set(seen.map(({ attributes }) => Object.keys(attributes).sort().join(' ')));
  expect(names.size, [...names].join('\n')).toBe(1);
  const keys = (series: boolean) =>
    new Set(seen.filter(({ attributes }) => (attributes.reason === SERIES) === series).map((one) => one.partitionkey));
  for (const key of [...keys(true), ...keys(false)])
    expect(key).toMatch(/^Pod\/recorders-[0-9a-f]+\/(record|events)-\d$/);
  expect([keys(true).size, keys(false).size]).toEqual([RECORDING.objects, RECORDING.objects]);
}
