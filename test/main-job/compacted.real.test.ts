import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backend } from '../backends/backend.ts';
import { compact } from '../backends/etcd.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { startKube } from '../backends/kube.ts';
import { EventWriter } from '../backends/load.ts';
import { freePort } from '../backends/process.ts';
import { watchTruth } from '../backends/truth.ts';
import { booksOf, idOf, tableOf } from './books.ts';
import { startDaemonProcess, until, watching } from './daemon-process.ts';
import { gapsIn, unrecoverable } from './gaps.ts';
import { everythingTo, natsSubscriber } from './subscribers.ts';

const kube = backend('kube');
const nats = backend('nats');

const EVENTS = 300;

describe.skipIf(!kube || !nats)('history that etcd has compacted while the daemon was stopped', () => {
  test('costs what was overwritten, which one gap record says; the last revision of every Event arrives', async () => {
    if (!nats) return;
    await using scope = new AsyncDisposableStack();
    const own = scope.use(await startKube());
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-compacted-')));
    const subscriber = scope.use(await natsSubscriber(nats));
    const truth = scope.use(await watchTruth(own.address));
    const writer = scope.use(new EventWriter(own.address));
    const metrics = { host: '127.0.0.1', port: await freePort() };
    const spec = { directory, kube: own.address, ...everythingTo(subscriber), more: { metrics } };
    const daemon = scope.use(await startDaemonProcess(spec));
    await watching(metrics.port);

    await writer.each(ordinaryEvents('default', EVENTS), (event) => writer.create(event));
    await until('all have arrived', async () => (await subscriber.count()) >= EVENTS);
    await daemon.stop();
    await truth.upTo();
    const [before] = truth.revisions.toReversed();

    const events = [...writer.written.values()];
    await writer.each(events.slice(0, 100), async (event) => writer.repeat(await writer.repeat(event)));
    await writer.each(events.slice(100, 120), async (event) => writer.delete(await writer.repeat(event)));
    await writer.each(ordinaryEvents('default', 50), (event) => writer.create(event));
    await truth.upTo();
    const [last] = truth.revisions.toReversed();
    await compact(own.address);

    await daemon.start();
    // The second revisions of a hundred, the new fifty, and the gap record.
    await until('all that is left has arrived', async () => (await subscriber.count()) >= EVENTS + 100 + 50 + 1);
    await writer.each(events.slice(120, 150), async (event) => writer.repeat(await writer.repeat(event)));
    await truth.upTo();
    await until('what is new has arrived', async () => (await subscriber.count()) >= EVENTS + 100 + 50 + 1 + 60);
    await daemon.stop();

    const seen = await subscriber.seen();
    const [gap, ...more] = gapsIn(seen);
    expect({ gap, more }).toEqual({ gap: expect.objectContaining({ cause: 'compacted', stream: '_all' }), more: [] });
    // From the last that was delivered, to where the list stood: behind all that was written, before what came later.
    expect(gap?.from).toBe(before?.resourceVersion);
    expect(BigInt(gap?.to ?? 0)).toBeGreaterThanOrEqual(BigInt(last?.resourceVersion ?? 0));
    const after = truth.revisions.find(
      ({ resourceVersion }) => BigInt(resourceVersion) > BigInt(last?.resourceVersion ?? 0),
    );
    expect(BigInt(gap?.to ?? 0)).toBeLessThan(BigInt(after?.resourceVersion ?? 0));

    const lost = unrecoverable(truth.revisions, gapsIn(seen));
    const books = booksOf(subscriber.route, { truth: truth.revisions, seen, lost });
    console.log(tableOf([books]));
    // The first repeat of a hundred, and the only one of the twenty that were deleted.
    expect(books).toMatchObject({ unrecoverable: 100 + 20, missing: [], disorder: [], unknown: [] });
    expect(lastRevisions(truth.revisions).filter((id) => !seen.some((one) => one.id === id))).toEqual([]);
  });
});

/** Of every Event that lives. */
function lastRevisions(revisions: Awaited<ReturnType<typeof watchTruth>>['revisions']): readonly string[] {
  const last = new Map(revisions.map((revision) => [revision.uid, revision]));
  return [...last.values()].filter(({ deleted }) => !deleted).map(idOf);
}
