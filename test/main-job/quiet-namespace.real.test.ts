/**
 * LONG: a quiet namespace beside a busy one, for 13 minutes. It runs only when it is asked for:
 * `KUBE_FANOUT_LONG_TESTS=1 npx vitest run --project real test/main-job/quiet-namespace`.
 */
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { backend } from '../backends/backend.ts';
import { compact, etcdRevision } from '../backends/etcd.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter } from '../backends/load.ts';
import { freePort } from '../backends/process.ts';
import { watchTruth } from '../backends/truth.ts';
import { booksOf, idOf, tableOf } from './books.ts';
import { startDaemonProcess, until, watching } from './daemon-process.ts';
import { everythingTo, natsSubscriber } from './subscribers.ts';
import { Tap } from './tap.ts';

const kube = backend('kube');
const nats = backend('nats');
const asked = process.env.KUBE_FANOUT_LONG_TESTS === '1';
if (!asked) console.warn('NOT RUN: 13 minutes of a quiet namespace. Set KUBE_FANOUT_LONG_TESTS=1 to run them.');

const MINUTES = 13;
/** What etcd forgets every three minutes is older than three minutes; a kube-apiserver leaves five at least. */
const HISTORY_MINUTES = 3;
/** The quiet namespace has an Event at the start and in these minutes. */
const QUIET_MINUTES = [5, 12];
const BUSY_EVENTS_PER_SECOND = 10;

describe.skipIf(!kube || !nats || !asked)('a quiet namespace beside a busy one, for 13 minutes', () => {
  test('is never listed again and has no gap, however often its history is compacted', {
    timeout: (MINUTES + 4) * 60_000,
  }, async () => {
    if (!nats) return;
    await using scope = new AsyncDisposableStack();
    const own = scope.use(await startKube());
    const [quiet, busy] = await twoNamespaces(own);
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-quiet-')));
    const subscriber = scope.use(await natsSubscriber(nats));
    const tap = scope.use(await Tap.open(own.address));
    const truth = scope.use(await watchTruth(own.address));
    const writer = scope.use(new EventWriter(own.address, 2));
    for (const event of [...ordinaryEvents(quiet, 1), ...ordinaryEvents(busy, 1)]) await writer.create(event);
    const metrics = { host: '127.0.0.1', port: await freePort() };
    const daemon = scope.use(
      await startDaemonProcess({
        directory,
        kube: tap.address,
        source: { namespaces: [quiet, busy] },
        ...everythingTo(subscriber),
        more: { metrics },
      }),
    );
    await watching(metrics.port);
    const lists = tap.lists;

    await live({ own, writer, quiet, busy });
    await truth.upTo();
    const wanted = truth.revisions.length;
    await until('all have arrived', async () => (await subscriber.count()) >= wanted);
    await daemon.stop();

    const seen = await subscriber.seen();
    const books = booksOf(subscriber.route, { truth: truth.revisions, seen });
    const quietIds = truth.revisions.filter(({ namespace }) => namespace === quiet).map(idOf);
    const gaps = seen.filter(({ type }) => type === 'kube-fanout.gap.v1');
    const log = await readFile(daemon.log, 'utf8');
    const expired = log.split('\n').filter((line) => line.includes('no longer has that history')).length;
    console.log(
      `${tableOf([books])}\nrelists ${tap.lists - lists}, answers 410: ${expired}, gaps ${gaps.length}, in the quiet namespace ${quietIds.length}`,
    );
    expect(quietIds).toHaveLength(1 + QUIET_MINUTES.length);
    const { missing, disorder, unknown } = books;
    expect({ missing, disorder, unknown }).toEqual({ missing: [], disorder: [], unknown: [] });
    expect(gaps).toEqual([]);
    expect({ relists: tap.lists - lists, expired }).toEqual({ relists: 0, expired: 0 });
  });
});

async function twoNamespaces(own: KubeBackend): Promise<[quiet: string, busy: string]> {
  await using client = new KubeClient(own.address);
  return [await client.createNamespace('quiet'), await client.createNamespace('busy')];
}

interface Life {
  readonly own: KubeBackend;
  readonly writer: EventWriter;
  readonly quiet: string;
  readonly busy: string;
}

async function live({ own, writer, quiet, busy }: Life): Promise<void> {
  const revisions: bigint[] = [];
  for (let minute = 0; minute < MINUTES; minute += 1) {
    revisions.push(await etcdRevision(own.address));
    const forgotten = revisions[minute - HISTORY_MINUTES];
    if (forgotten !== undefined && minute % HISTORY_MINUTES === 0) await compact(own.address, forgotten);
    if (QUIET_MINUTES.includes(minute)) for (const event of ordinaryEvents(quiet, 1)) await writer.create(event);
    const end = Date.now() + 60_000;
    for (const event of ordinaryEvents(busy, 60 * BUSY_EVENTS_PER_SECOND)) {
      await writer.create(event);
      await sleep(1_000 / BUSY_EVENTS_PER_SECOND);
      if (Date.now() > end) break;
    }
    await sleep(Math.max(0, end - Date.now()));
  }
}
