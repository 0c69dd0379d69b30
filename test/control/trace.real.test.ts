import { execFile } from 'node:child_process';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { TracedRevision, TraceItem } from '../../src/control/trace.ts';
import { backend } from '../backends/backend.ts';
import { ordinaryEvents } from '../backends/events.ts';
import type { KubeAddress } from '../backends/kube.ts';
import { EventWriter, type NewEvent } from '../backends/load.ts';
import { freePort, type Program } from '../backends/process.ts';
import { startDaemonProcess, until, watching } from '../main-job/daemon-process.ts';
import { placeOf } from '../main-job/seen.ts';
import {
  everythingTo,
  kafkaSubscriber,
  natsSubscriber,
  pubSubSubscriber,
  type Subscriber,
} from '../main-job/subscribers.ts';

const kube = backend('kube');
const kafka = backend('kafka');
const nats = backend('nats');
const pubsub = backend('pubsub');
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const OBJECTS = 5;
const EVENTS = 200;

test.skipIf(!kube || !kafka || !nats || !pubsub)(
  'the paper trail says of each revision what the brokers hold, where they hold it, and why they do not',
  { timeout: 300_000 },
  async () => {
    if (!kube || !kafka || !nats || !pubsub) return;
    await using scope = new AsyncDisposableStack();
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-trace-')));
    const subscribers = [
      scope.use(await kafkaSubscriber(kafka)),
      scope.use(await natsSubscriber(nats)),
      scope.use(await pubSubSubscriber(pubsub)),
    ];
    const [first] = subscribers;
    if (!first) throw new Error('there are three');
    const { brokers, routes } = everythingTo(...subscribers);
    const narrow = {
      name: 'narrow',
      when: `event.regarding.kind == "Pod" &&\n  event.reason == "FailedMount"`,
      to: { broker: 'kafka', ...first.to },
    };
    const missing = { name: 'missing', to: { broker: 'kafka', topic: 'nobody-has-made-this-{event.reason}' } };
    const away = { name: 'away', to: { broker: 'away', topic: 'x' } };
    const metrics = { host: '127.0.0.1', port: await freePort() };
    const daemon = scope.use(
      await startDaemonProcess({
        directory,
        kube,
        brokers: { ...brokers, away: { mqtt: { url: `mqtt://127.0.0.1:${await freePort()}` } } },
        // The test would be of no use if both of its Kafka routes were one.
        routes: [...routes, narrow, missing, away],
        source: { namespaces: ['default'] },
        more: { metrics },
      }),
    );
    await watching(metrics.port);
    const run = crypto.randomUUID().slice(0, 8);
    await writeAndKill(kube, daemon, run);
    await until('the routes that can have delivered everything', async () => {
      const traced = await traceAll(directory, run);
      const able = traced.flatMap((one) => one.routes.filter(({ route }) => !['missing', 'away'].includes(route)));
      return traced.length >= EVENTS * 1.5 && able.every(({ state }) => state !== 'waiting' && state !== 'parked');
    });
    const traced = await traceAll(directory, run);
    for (const subscriber of subscribers) await expectAgreement(subscriber, traced);
    expectReasons(traced);

    await daemon.stop();
    const after = await traceAll(directory, run);
    expect(after.length).toBe(traced.length);
    for (const subscriber of subscribers) await expectAgreement(subscriber, after);
  },
);

/** A fifth of the Events is updated twice, some are deleted, one is too large for Kafka; and the daemon dies in between. */
async function writeAndKill(kube: KubeAddress, daemon: Program, run: string): Promise<void> {
  await using writer = new EventWriter(kube, 4);
  const events: NewEvent[] = [...ordinaryEvents('default', EVENTS, OBJECTS)].map((event) => {
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: '', uid: 'u' };
    const object = Object(event.involvedObject);
    return { ...event, involvedObject: { ...involvedObject, name: `${object.name}-${run}` } };
  });
  let count = 0;
  await writer.each(events, async (event) => {
    count += 1;
    const mine = count;
    const large = mine === 17 ? { message: `a hostile note \u001b[2J ${'x'.repeat(1_100_000)}` } : {};
    let written = await writer.create({ ...event, ...large });
    if (mine % 4 === 0) for (let i = 0; i < 2; i += 1) written = await writer.repeat(written);
    if (mine % 10 === 0) await writer.delete(written);
    if (mine !== EVENTS / 2) return;
    await daemon.kill();
    await daemon.start();
  });
}

async function traceAll(directory: string, run: string): Promise<TracedRevision[]> {
  const all: TracedRevision[] = [];
  for (let i = 0; i < OBJECTS; i += 1) {
    const args = ['--for', `pods/web-${i}-${run}`, '-n', 'default', '--json', '--limit', '1000'];
    const items = await traceOf(directory, args);
    all.push(...items.filter((item) => item.kind !== 'end'));
  }
  return all;
}

async function traceOf(directory: string, args: readonly string[]): Promise<TraceItem[]> {
  const config = join(directory, 'daemon.yaml');
  const options = { maxBuffer: 2 ** 28 };
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'trace', '-c', config, ...args], options);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Each receipt names a place where that revision is, and nothing is on the broker that the trail does not know. */
async function expectAgreement(subscriber: Subscriber, traced: readonly TracedRevision[]): Promise<void> {
  const { route } = subscriber;
  const seen = await subscriber.seen();
  const idAt = new Map(seen.map(({ place, id }) => [place, id]));
  const delivered = new Set<string>();
  for (const { id, routes } of traced) {
    const fates = routes.filter((fate) => fate.route === route);
    expect({ id, route, fates: fates.length }).toEqual({ id, route, fates: 1 });
    for (const fate of fates) {
      if (fate.state !== 'delivered') continue;
      delivered.add(id);
      expect({ route, id: idAt.get(placeOf(fate.receipt)) }).toEqual({ route, id });
    }
  }
  expect(delivered.size).toBeGreaterThan(EVENTS);
  const objects = new Set(traced.map(({ object }) => object));
  const untraced = seen.filter(({ id, partitionkey }) => objects.has(partitionkey) && !delivered.has(id));
  expect({ route, untraced: untraced.map(({ id }) => id) }).toEqual({ route, untraced: [] });
}

function expectReasons(traced: readonly TracedRevision[]): void {
  for (const { reason, note = '', routes } of traced) {
    const fates = new Map(routes.map((fate) => [fate.route, fate]));
    expect(fates.get('away')).toMatchObject({ state: 'waiting', for: 'broker', since: expect.any(String) });
    const large = note.startsWith('a hostile note');
    if (large) expect(fates.get('kafka')).toMatchObject({ state: 'dead', reason: 'too-large' });
    else expect(fates.get('missing')).toMatchObject({ state: 'parked', reason: 'no-such-destination' });
    if (reason === 'FailedMount') continue;
    expect(fates.get('narrow')).toMatchObject({
      state: 'filtered',
      by: 'when',
      part: 'event.reason == "FailedMount"',
      gives: false,
      values: [{ name: 'event.reason', value: reason }],
    });
  }
  expect(traced.filter(({ note = '' }) => note.startsWith('a hostile note'))).not.toEqual([]);
}
