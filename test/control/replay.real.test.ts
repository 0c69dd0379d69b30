import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Replay } from '../../src/control/replay.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { backend } from '../backends/backend.ts';
import { freePort } from '../backends/process.ts';
import { runCli } from '../cli/run-cli.ts';
import { mosquittoSub } from '../contract/mosquitto-sub.ts';
import { disorderIn } from '../main-job/books.ts';
import { metricsAt, startDaemonProcess, until } from '../main-job/daemon-process.ts';
import type { Seen } from '../main-job/seen.ts';
import { everythingTo, mqttSubscriber, natsSubscriber } from '../main-job/subscribers.ts';

const nats = backend('nats');
const mosquitto = backend('mosquitto');

const OBJECTS = 20;

test.skipIf(!nats || !mosquitto)(
  'a replay arrives whole and marked, within JetStream’s duplicate window and through a SIGKILL, and what is new stays live',
  { timeout: 300_000 },
  async () => {
    if (!nats || !mosquitto) return;
    await using scope = new AsyncDisposableStack();
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-replay-')));
    const cluster = scope.use(await startSimulator());
    const stream = scope.use(await natsSubscriber(nats));
    const topics = scope.use(await mqttSubscriber(mosquitto));
    const retained = { ...topics, to: { ...topics.to, retain: true } };
    const port = await freePort();
    await cluster.load({ rate: 800, forSeconds: 1, objects: OBJECTS, updates: 0 });
    const daemon = scope.use(
      await startDaemonProcess({
        directory,
        kube: { server: cluster.address, ca: '', token: 'nobody-asks' },
        ...everythingTo(stream, retained),
        more: { metrics: { host: '127.0.0.1', port } },
      }),
    );
    const config = join(directory, 'daemon.yaml');
    const written = () => [...cluster.emitted].map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`);
    const caughtUp = () =>
      until('both routes have delivered everything', async () => {
        if (!nothingWaits(await metricsAt(port))) return false;
        const ids = new Set((await topics.seen()).filter((one) => !isReplay(one)).map(({ id }) => id));
        return written().every((id) => ids.has(id));
      });
    await caughtUp();

    // While the cluster goes on; and the daemon dies in the middle of it.
    const more = cluster.load({ rate: 50, forSeconds: 6, objects: OBJECTS });
    const before = await stream.count();
    const first = await replay(config, 'nats', 'oldest');
    await until('the replay is under way', async () => (await stream.count()) > before + 5);
    await daemon.kill();
    await daemon.start();
    await more;
    await caughtUp();
    expectReplay(await stream.seen(), { replay: first, written: written() });

    // A stopped daemon's journal: the next one sends it.
    const alreadySeen = (await topics.seen()).length;
    const middle = (await topics.seen()).filter(({ type }) => type === 'kube-fanout.event.v1').at(200)?.sequence ?? '';
    await daemon.stop();
    const second = await replay(config, 'mqtt', middle);
    expect(second).toMatchObject({ running: false, streams: [{ from: middle }] });
    await daemon.start();
    await cluster.load({ rate: 100, forSeconds: 1, objects: OBJECTS });
    await caughtUp();
    expectReplay(await topics.seen(), { replay: second, written: written() });

    // Who comes later gets the newest of each topic, and not what was replayed after it.
    const { topic } = topics.to as { topic: string };
    await using late = await mosquittoSub({
      url: mosquitto.url,
      topic: topic.replace(/\{.*/, '#'),
      protocolVersion: 5,
    });
    const live = (await topics.seen()).filter((one) => !isReplay(one));
    expect((await topics.seen()).length - alreadySeen).toBeGreaterThanOrEqual(second.records);
    const newest = new Map(live.map((one) => [topicOf(one), one.id]));
    const kept = await late.received(newest.size);
    const found = kept.map(({ body }) => JSON.parse(Buffer.from(body).toString()));
    expect(found.map(({ id }) => id).toSorted()).toEqual([...newest.values()].toSorted());
  },
);

async function replay(config: string, route: string, from: string): Promise<Replay> {
  const { code, out, said } = await runCli(['replay', '-c', config, '--route', route, '--from', from, '--json']);
  expect({ code, said }).toEqual({ code: 0, said: '' });
  return JSON.parse(out);
}

/** Each record from the first to the last one comes again once, in order, marked; and each is there live, in order. */
function expectReplay(
  seen: readonly Seen[],
  { replay, written }: { replay: Replay; written: readonly string[] },
): void {
  const [{ from = '', to = '' } = {}] = replay.streams;
  const live = seen.filter((one) => !isReplay(one));
  const ids = new Set(live.map(({ id }) => id));
  expect(written.filter((id) => !ids.has(id))).toEqual([]);
  const again = seen.filter(isReplay);
  const expected = live.filter(({ sequence }) => sequence >= from && sequence <= to).map(({ id }) => id);
  expect(new Set(expected).size).toBe(replay.records);
  expect([...new Set(again.map(({ id }) => id))].toSorted()).toEqual([...new Set(expected)].toSorted());
  const events = ({ type }: Seen) => type === 'kube-fanout.event.v1';
  expect([...disorderIn(live.filter(events)), ...disorderIn(again.filter(events))]).toEqual([]);
}

function isReplay({ attributes }: Seen): boolean {
  return attributes.origin === 'replay';
}

/** As the route of `mqttSubscriber` names it. */
function topicOf({ attributes, data }: Seen): string {
  return [attributes.namespace, Object(Object(data).regarding).kind, attributes.reason].join('/');
}

function nothingWaits(metrics: string): boolean {
  const lags = [...metrics.matchAll(/^kube_fanout_route_(?:lag_records|pending)\{.*\} (\d+)$/gm)];
  return lags.length === 4 && lags.every(([, waits]) => waits === '0');
}
