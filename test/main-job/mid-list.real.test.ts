/**
 * The daemon dies while it lists, again and again, and while it is away all history up to then is compacted, so that
 * each start is told 410 and lists. By hand: `KUBE_FANOUT_KILLS=50 npx vitest run --project real test/main-job/mid-list`.
 */
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { backend } from '../backends/backend.ts';
import { compact } from '../backends/etcd.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { startKube } from '../backends/kube.ts';
import { EventWriter } from '../backends/load.ts';
import { freePort } from '../backends/process.ts';
import { type Truth, watchTruth } from '../backends/truth.ts';
import { booksOf, idOf, tableOf } from './books.ts';
import { Churn } from './churn.ts';
import { metricsAt, startDaemonProcess, until } from './daemon-process.ts';
import { gapsIn, unrecoverable } from './gaps.ts';
import { everythingTo, kafkaSubscriber, type Subscriber } from './subscribers.ts';
import { type Moment, Tap } from './tap.ts';

const kube = backend('kube');
const kafka = backend('kafka');

const KILLS = Number(process.env.KUBE_FANOUT_KILLS ?? 8);
const SEED = Number(process.env.KUBE_FANOUT_SEED ?? Date.now() % 1_000_000);
const EVENTS = 1_300;
const PAGES = 3;
/** After so many kills one list may end, and the daemon watches until it is killed. */
const REST_AFTER = 4;
const MOMENTS: readonly Moment[] = ['asked', 'half', 'answered'];
/** So long may the daemon live on after that moment, in milliseconds. */
const LATER = 30;
const WRITERS = 8;
/** Revisions that are written while the daemon is away. */
const MEANWHILE = 40;

describe.skipIf(!kube || !kafka)('a daemon that is killed while it lists', () => {
  test(`${KILLS} times, with all history compacted each time: nothing is missing that could be had`, {
    timeout: 120_000 + KILLS * 20_000,
  }, async () => {
    if (!kafka) return;
    console.log(`seed ${SEED}: KUBE_FANOUT_SEED repeats the moments of its kills`);
    await using scope = new AsyncDisposableStack();
    const own = scope.use(await startKube());
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-mid-list-')));
    const subscriber = scope.use(await kafkaSubscriber(kafka));
    const truth = scope.use(await watchTruth(own.address));
    const tap = scope.use(await Tap.open(own.address));
    const writer = scope.use(new EventWriter(own.address, WRITERS));
    await writer.each(ordinaryEvents('default', EVENTS), (event) => writer.create(event));
    const metrics = { host: '127.0.0.1', port: await freePort() };
    const spec = { directory, kube: tap.address, ...everythingTo(subscriber), more: { metrics } };

    // Its first list is let pass up to its second page: what was there before the first start nobody has missed.
    const begun = pageOf(tap, 2, 'answered');
    const daemon = scope.use(await startDaemonProcess(spec));
    await begun;
    await until('the first page is in the journal', async () =>
      /^kube_fanout_stream_records_total\{.*\} [1-9]/m.test(await metricsAt(metrics.port)),
    );
    const churn = scope.use(new Churn(writer, WRITERS));
    const random = randomFrom(SEED);
    const away = async () => {
      const written = truth.revisions.length;
      await until('something is written meanwhile', () => truth.revisions.length >= written + MEANWHILE);
      await compact(own.address);
    };
    await daemon.kill();
    for (let kill = 0; kill < KILLS; kill += 1) {
      await away();
      const [page, moment] = [1 + Math.floor(random() * PAGES), MOMENTS[Math.floor(random() * 3)] ?? 'asked'];
      const listing = pageOf(tap, page, moment);
      await daemon.spawn();
      await listing;
      await sleep(random() * LATER);
      await daemon.kill();
      if (kill % REST_AFTER !== REST_AFTER - 1) continue;
      await away();
      await daemon.spawn();
      await listed(metrics.port);
      const seen = truth.revisions.length;
      await until('something is written while it watches', () => truth.revisions.length >= seen + MEANWHILE);
      await daemon.kill();
    }
    await away();
    await daemon.start();
    await listed(metrics.port);
    await churn[Symbol.asyncDispose]();
    await truth.upTo();
    await arrived(subscriber, truth);
    await daemon.stop();

    const seen = await subscriber.seen();
    const gaps = gapsIn(seen);
    const lost = unrecoverable(truth.revisions, gaps, tap.presents);
    const books = booksOf(subscriber.route, { truth: truth.revisions, seen, lost });
    console.log(
      `${tableOf([books])}\n${KILLS} kills, ${tap.lists} lists, ${tap.pages} pages, ${tap.presents.length} of the present, ${gaps.length} gaps, seed ${SEED}`,
    );
    const { missing, disorder, unknown } = books;
    const log = await readFile(daemon.log, 'utf8');
    expect({ missing, disorder, unknown, gaps }, log.slice(-3_000)).toEqual({
      missing: [],
      disorder: [],
      unknown: [],
      gaps,
    });
    expect(gaps.length).toBeGreaterThan(Math.floor(KILLS / REST_AFTER));
    expectApart(gaps);
  });
});

/** Settles at that moment of the n-th page that is asked for from now on. */
function pageOf(tap: Tap, n: number, moment: Moment): Promise<void> {
  let [pages, reached] = [0, false];
  tap.onPage = (now) => {
    if (now === 'asked') pages += 1;
    if (pages >= n && now === moment) reached = true;
  };
  return until(`page ${n} of the lists is ${moment}`, () => reached);
}

/** Settles when a list has ended: its gap is counted then, and since the start. */
function listed(port: number): Promise<void> {
  return until('a list has ended', async () =>
    /^kube_fanout_stream_gaps_total\{.*\} [1-9]/m.test(await metricsAt(port)),
  );
}

/** Settles when the last revision of every Event that lives has arrived. */
async function arrived(subscriber: Subscriber, truth: Truth): Promise<void> {
  const last = new Map(truth.revisions.map((revision) => [revision.uid, revision]));
  const wanted = [...last.values()].filter(({ deleted }) => !deleted).map(idOf);
  await until('the last revision of every Event has arrived', async () => {
    const ids = new Set((await subscriber.seen()).map(({ id }) => id));
    return wanted.every((id) => ids.has(id));
  });
}

/** No revision lies in two gaps: each says only what its own absence has cost. */
function expectApart(gaps: ReturnType<typeof gapsIn>): void {
  let end = 0n;
  for (const { from = '0', to } of gaps.toSorted((a, b) => Number(BigInt(a.to) - BigInt(b.to)))) {
    expect(BigInt(from)).toBeGreaterThanOrEqual(end);
    end = BigInt(to);
  }
}

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
