import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { openJournal } from '../../src/journal/open.ts';
import type { RouteName } from '../../src/journal/record.ts';
import { backend } from '../backends/backend.ts';
import { hostileEvents, ordinaryEvents } from '../backends/events.ts';
import type { KubeAddress } from '../backends/kube.ts';
import { EventWriter, type NewEvent } from '../backends/load.ts';
import { freePort, type Program } from '../backends/process.ts';
import { watchTruth } from '../backends/truth.ts';
import { deadLettersOf } from '../journal/fixture.ts';
import { booksOf, idOf, tableOf } from './books.ts';
import { startDaemonProcess, until, watching } from './daemon-process.ts';
import {
  everythingTo,
  kafkaSubscriber,
  mqttSubscriber,
  natsSubscribers,
  pubSubSubscriber,
  type Subscriber,
} from './subscribers.ts';

const kube = backend('kube');
const kafka = backend('kafka');
const mosquitto = backend('mosquitto');
const nats = backend('nats');
const pubsub = backend('pubsub');

const EVENTS = 2_000;
const KILLS = 3;

describe.skipIf(!kube || !kafka || !mosquitto || !nats || !pubsub)('the main job', () => {
  test('through three SIGKILLs, four brokers get every revision that etcd stored, in order per object', {
    timeout: 300_000,
  }, async () => {
    if (!kube || !kafka || !mosquitto || !nats || !pubsub) return;
    await using scope = new AsyncDisposableStack();
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-main-job-')));
    const subscribers: readonly Subscriber[] = [
      scope.use(await kafkaSubscriber(kafka)),
      scope.use(await mqttSubscriber(mosquitto)),
      ...(await natsSubscribers(nats)),
      scope.use(await pubSubSubscriber(pubsub)),
    ];
    const truth = scope.use(await watchTruth(kube, 'now'));
    const metrics = { host: '127.0.0.1', port: await freePort() };
    const daemon = scope.use(
      await startDaemonProcess({
        directory,
        kube,
        ...everythingTo(...subscribers),
        more: { metrics },
      }),
    );
    await watching(metrics.port);
    // Other tests write meanwhile: what they had overwritten before the daemon watched, nobody can give.
    await truth.upTo();
    const first = truth.revisions.length;

    const written = await writeAndKill(kube, daemon);
    await truth.upTo();
    const truly = truth.revisions.slice(first);
    const large = new Set(truly.filter(({ name }) => written.large.has(name)).map(idOf));
    const wanted = truly.map(idOf).filter((id) => !large.has(id));
    const complete = async (subscriber: Subscriber) => {
      const ids = new Set((await subscriber.seen()).map(({ id }) => id));
      return wanted.every((id) => ids.has(id));
    };
    // What is missing all the same is said by the books, which say more.
    await until(
      'everything arrives',
      async () => (await Promise.all(subscribers.map(complete))).every((all) => all),
      90_000,
    ).catch(() => {});
    await daemon.stop();

    const books = [];
    for (const subscriber of subscribers) {
      const dead = await deadLetters(directory, subscriber.route);
      books.push(booksOf(subscriber.route, { truth: truly, seen: await subscriber.seen(), dead }));
    }
    console.log(tableOf(books));
    const log = await readFile(join(directory, 'daemon.log'), 'utf8');
    for (const { route, missing, disorder, unknown, dead } of books) {
      expect({ route, missing, disorder }, log.slice(-3_000)).toEqual({ route, missing: [], disorder: [] });
      // The daemon began with what the cluster still had of earlier tests.
      expect(unknown.every((id) => !truly.some((one) => idOf(one) === id))).toBe(true);
      const takesLarge = route === 'mqtt' || route === 'pubsub';
      expect({ route, dead }).toEqual({ route, dead: takesLarge ? 0 : large.size });
    }
    const [first4] = await Promise.all(subscribers.map((one) => one.seen()));
    for (const { key, partitionkey } of first4 ?? []) expect(key).toBe(partitionkey);
  });
});

/** Eight writers, one in four Events updated twice, and the daemon killed three times in between. */
async function writeAndKill(kube: KubeAddress, daemon: Program): Promise<{ readonly large: ReadonlySet<string> }> {
  await using writer = new EventWriter(kube, 8);
  const hostile = [...hostileEvents('default')];
  const events: NewEvent[] = [...ordinaryEvents('default', EVENTS - hostile.length)];
  hostile.forEach((event, i) => {
    events.splice(i * 20, 0, event);
  });
  let count = 0;
  await writer.each(events, async (event) => {
    const mine = ++count;
    let written = await writer.create(event);
    if (mine % 4 === 0) for (let i = 0; i < 2; i += 1) written = await writer.repeat(written);
    if (mine % Math.floor(EVENTS / (KILLS + 1)) !== 0 || mine >= EVENTS) return;
    await daemon.kill();
    await daemon.start();
  });
  const isLarge = ({ message, note }: NewEvent) => String(message ?? note ?? '').length > 1_000_000;
  return { large: new Set(hostile.filter(isLarge).map(({ metadata }) => metadata.name)) };
}

async function deadLetters(directory: string, route: string): Promise<ReadonlySet<string>> {
  const options = {
    retainMs: 1,
    maxBytes: 2 ** 40,
    sync: 'full' as const,
    cluster: 'test',
    log: pino({ level: 'silent' }),
  };
  await using journal = await openJournal({ ...options, path: join(directory, 'journal.db') });
  return new Set((await deadLettersOf(journal, route as RouteName)).map(({ eventId }) => eventId));
}
