import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { RouteName } from '../../src/journal/record.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { backend } from '../backends/backend.ts';
import { freePort } from '../backends/process.ts';
import { runCli } from '../cli/run-cli.ts';
import { mosquittoSub } from '../contract/mosquitto-sub.ts';
import { imbalance, open, parkedAt, readAll, routeState } from '../journal/fixture.ts';
import { metricsAt, startDaemonProcess, until } from '../main-job/daemon-process.ts';
import type { Seen } from '../main-job/seen.ts';
import { everythingTo, mqttSubscriber, natsSubscriber } from '../main-job/subscribers.ts';

const nats = backend('nats');
const mosquitto = backend('mosquitto');

test.skipIf(!nats || !mosquitto)(
  'a dead letter arrives by a replay within JetStream’s duplicate window, marked, and MQTT retains what is newer',
  { timeout: 300_000 },
  async () => {
    if (!nats || !mosquitto) return;
    await using scope = new AsyncDisposableStack();
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-dead-')));
    const cluster = scope.use(await startSimulator());
    const stream = scope.use(await natsSubscriber(nats));
    const topics = scope.use(await mqttSubscriber(mosquitto));
    const port = await freePort();
    await cluster.load({ rate: 200, forSeconds: 1, objects: 5, updates: 0 });
    const daemon = scope.use(
      await startDaemonProcess({
        directory,
        kube: { server: cluster.address, ca: '', token: 'nobody-asks' },
        ...everythingTo(stream, { ...topics, to: { ...topics.to, retain: true } }),
        more: { metrics: { host: '127.0.0.1', port } },
      }),
    );
    const config = join(directory, 'daemon.yaml');
    const written = () => [...cluster.emitted].map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`);
    await until('both routes have delivered everything', async () => {
      const seen = await Promise.all([stream.seen(), topics.seen()]);
      return written().every((id) => seen.every((each) => each.some((one) => one.id === id)));
    });
    await daemon.stop();
    const [id = ''] = written();
    for (const route of ['nats', 'mqtt']) await bury(directory, route as RouteName, id);

    await daemon.start();
    await until('the daemon answers', async () => (await metricsAt(port).catch(() => '')) !== '');
    const list = await runCli(['dead-letters', 'list', '-c', config, '--id', id]);
    expect(list.out).toContain('2 dead letters: ');
    const { code, out, said } = await runCli([
      'dead-letters',
      'replay',
      '-c',
      config,
      '--reason',
      'too-large',
      '--json',
    ]);
    expect({ code, said }).toEqual({ code: 0, said: '' });
    const items = out.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
    expect(items).toMatchObject([
      { kind: 'replayed', replay: 1, ids: [expect.any(Number)] },
      { kind: 'replayed', replay: 1, ids: [expect.any(Number)] },
      { kind: 'end', count: 2, running: true },
    ]);
    for (const subscriber of [stream, topics]) {
      await until('it has come again', async () => (await subscriber.seen()).some(isReplay));
      const seen = (await subscriber.seen()).filter((one) => one.id === id);
      expect(seen.map(({ attributes }) => attributes.origin)).toEqual(['backfill', 'replay']);
    }

    // Who comes later gets what is newest of each topic, and not the replayed one.
    const { topic } = topics.to as { topic: string };
    const url = mosquitto.url;
    await using late = await mosquittoSub({ url, topic: topic.replace(/\{.*/, '#'), protocolVersion: 5 });
    const live = (await topics.seen()).filter((one) => !isReplay(one));
    const newest = new Map(live.map((one) => [topicOf(one), one.id]));
    const kept = (await late.received(newest.size)).map(({ body }) => JSON.parse(Buffer.from(body).toString()));
    expect(kept.map((one) => one.id).toSorted()).toEqual([...newest.values()].toSorted());
    expect(kept.every(({ origin }) => origin !== 'replay')).toBe(true);

    await daemon.stop();
    await using journal = await open({ path: join(directory, 'journal.db') });
    for (const route of ['nats', 'mqtt']) {
      const state = await routeState(journal, route as RouteName);
      expect(state).toMatchObject({ deadLetters: 0, pending: 0, counters: { dead: 1 } });
      expect(imbalance(state)).toBe(0);
    }
  },
);

/** What the broker has stored under this id becomes a dead letter, as when its answer was a refusal. */
async function bury(directory: string, route: RouteName, id: string): Promise<void> {
  await using journal = await open({ path: join(directory, 'journal.db') });
  const record = (await readAll(journal)).find(({ attributes }) => attributes.id === id);
  if (record === undefined) throw new Error(`${id} is not in the journal`);
  expect(record.stream).toBe(ALL_NAMESPACES);
  const parked = [parkedAt(record, { state: 'dead', reason: 'too-large', parkedAt: Date.now() })];
  await journal.settle({
    route,
    cursors: new Map(),
    counters: { read: 1, dead: 1 },
    receipts: [],
    parked,
    unparked: [],
  });
}

function isReplay({ attributes }: Seen): boolean {
  return attributes.origin === 'replay';
}

/** As the route of `mqttSubscriber` names it. */
function topicOf({ attributes, data }: Seen): string {
  return [attributes.namespace, Object(Object(data).regarding).kind, attributes.reason].join('/');
}
