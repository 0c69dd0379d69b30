import { randomUUID } from 'node:crypto';
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backend } from '../backends/backend.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { startKafka } from '../backends/kafka.ts';
import { type KubeAddress, startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter } from '../backends/load.ts';
import { startMosquitto } from '../backends/mosquitto.ts';
import { startNats } from '../backends/nats.ts';
import { startPubSub } from '../backends/pubsub.ts';
import { says, startDaemonProcess, until } from './daemon-process.ts';
import * as at from './subscribers.ts';

const kube = backend('kube');
const kafka = backend('kafka');
const mosquitto = backend('mosquitto');
const nats = backend('nats');
const pubsub = backend('pubsub');

const EVENTS = 30;

describe.skipIf(!kube || !kafka || !mosquitto || !nats || !pubsub)('a start when something is wrong', () => {
  test('the API server is down: it says so, waits, and has every Event once it is up', async () => {
    if (!nats) return;
    await using scope = new AsyncDisposableStack();
    const own = scope.use(await startKube());
    const subscriber = scope.use(await at.natsSubscriber(nats));
    const before = await write(own.address, 'default');
    await own.apiserver.kill();
    const directory = await temporary(scope);
    const spec = { directory, kube: own.address, ...at.everythingTo(subscriber) };
    const daemon = scope.use(await startDaemonProcess(spec));
    await says(daemon, /cannot talk to the API server at https:\/\/127\.0\.0\.1:\d+ .*ECONNREFUSED/);
    await own.apiserver.start();
    const after = await write(own.address, 'default');
    await arrive(subscriber, [...before, ...after]);
    await says(daemon, /the API server answers again/);
  });

  test('four brokers are down: each is named, the fifth gets everything at once, and they do when they are up', {
    timeout: 150_000,
  }, async () => {
    if (!kube || !nats) return;
    await using scope = new AsyncDisposableStack();
    const [ownKafka, ownMosquitto] = [
      scope.use(await startKafka()),
      scope.use(await startMosquitto({ durable: true })),
    ];
    const [ownNats, ownPubSub] = [scope.use(await startNats()), scope.use(await startPubSub())];
    const inKafka = scope.use(await at.kafkaSubscriber(ownKafka.address));
    const inMqtt = scope.use(await at.mqttSession(ownMosquitto.address));
    const inNats = scope.use(await at.natsSubscriber(ownNats.address));
    const topic = `events-${randomUUID()}`;
    const programs = [ownKafka, ownMosquitto, ownNats, ownPubSub].map(({ program }) => program);
    for (const program of programs) await program.kill();

    const fifth = scope.use(await at.natsSubscriber(nats));
    const places = [inKafka, inMqtt, inNats, at.pubSubPlace(ownPubSub.address, topic), { ...fifth, route: 'fifth' }];
    const { daemon, namespace } = await startIn(scope, kube, places);
    const written = await write(kube, namespace);
    await arrive(fifth, written);
    await says(daemon, new RegExp(`Cannot reach Kafka at ${ownKafka.address.bootstrap}: nothing listens there`));
    await says(
      daemon,
      new RegExp(`Cannot reach the MQTT broker at ${ownMosquitto.address.url}: nothing listens there`),
    );
    await says(daemon, new RegExp(`Cannot reach NATS at ${ownNats.address.url}: nothing listens there`));
    await says(daemon, new RegExp(`Cannot reach Pub/Sub at ${ownPubSub.address.endpoint}: nothing listens there`));

    for (const program of programs) await program.start();
    // Google's fake keeps nothing over a restart, not even the topic: the daemon waits for that, too. What it published
    // before there is a subscription would be seen by nobody.
    daemon.pause();
    const inPubSub = scope.use(await at.pubSubSubscriber(ownPubSub.address, topic));
    daemon.resume();
    for (const subscriber of [inKafka, inMqtt, inNats, inPubSub]) await arrive(subscriber, written);
  });

  test('passwords are wrong: it says whose, never shows one, and goes on when the files are mended', {
    timeout: 90_000,
  }, async () => {
    if (!kube || !nats || !kafka?.sasl || !mosquitto?.login || !nats.login) return;
    await using scope = new AsyncDisposableStack();
    const directory = await temporary(scope);
    const [bootstrap, username] = [[kafka.sasl.bootstrap], 'fanout'];
    const inKafka = scope.use(await at.kafkaSubscriber(kafka));
    const inMqtt = scope.use(await at.mqttSession(mosquitto));
    const inNats = scope.use(await at.natsSubscriber(nats));
    const other = scope.use(await at.natsSubscriber(nats));
    const files = { kafka: join(directory, 'kafka'), mqtt: join(directory, 'mqtt'), nats: join(directory, 'nats') };
    const wrong = `wrong-${randomUUID()}`;
    for (const file of Object.values(files)) await writeFile(file, wrong);
    const sasl = { scramSha512: { username, password: { file: files.kafka } } };
    const places = [
      { ...inKafka, broker: { kafka: { bootstrap, sasl } } },
      { ...inMqtt, broker: { mqtt: { url: mosquitto.login.url, username, password: { file: files.mqtt } } } },
      { ...inNats, broker: { nats: { servers: [nats.url], username, password: { file: files.nats } } } },
      { ...other, route: 'other' },
    ];
    const { daemon, namespace } = await startIn(scope, kube, places);
    const written = await write(kube, namespace);
    await arrive(other, written);
    await says(daemon, /Kafka at .* refused the login of user fanout by SCRAM-SHA-512\. Check username, password/);
    await says(daemon, /The MQTT broker at .* refused the login of fanout: check username and password/);
    await says(daemon, /NATS at .* refused the login of fanout: check username and password/);

    const right = { kafka: kafka.sasl.password, mqtt: mosquitto.login.password, nats: nats.login.password };
    await writeFile(files.kafka, right.kafka);
    await writeFile(files.mqtt, right.mqtt);
    await writeFile(files.nats, right.nats);
    for (const subscriber of [inKafka, inMqtt, inNats]) await arrive(subscriber, written);
    await daemon.stop();
    const log = await readFile(daemon.log, 'utf8');
    for (const secret of [wrong, ...Object.values(right), kube.token]) expect(log).not.toContain(secret);
  });

  test('a topic or stream is not there: it says how to make it, and goes on when it is made', {
    timeout: 90_000,
  }, async () => {
    if (!kube || !kafka || !nats || !pubsub) return;
    await using scope = new AsyncDisposableStack();
    const name = `EVENTS${randomUUID().replaceAll('-', '')}`;
    const other = scope.use(await at.natsSubscriber(nats));
    const places = [
      at.kafkaPlace(kafka, name),
      at.natsPlace(nats, name),
      at.pubSubPlace(pubsub, name),
      { ...other, route: 'other' },
    ];
    const { daemon, namespace } = await startIn(scope, kube, places);
    const written = await write(kube, namespace);
    await arrive(other, written);
    await says(daemon, new RegExp(`Kafka has no topic ${name}, .*Create it`));
    await says(daemon, new RegExp(`No stream takes subject ${name}.all: add one`));
    await says(daemon, new RegExp(`There is no topic ${name}. Create it`));

    const inKafka = scope.use(await at.kafkaSubscriber(kafka, name));
    const inNats = scope.use(await at.natsSubscriber(nats, name));
    const inPubSub = scope.use(await at.pubSubSubscriber(pubsub, name));
    for (const subscriber of [inKafka, inNats, inPubSub]) await arrive(subscriber, written);
  });
});

/** A daemon for a new namespace. */
async function startIn(scope: AsyncDisposableStack, address: KubeAddress, places: readonly at.Place[]) {
  const client = scope.use(new KubeClient(address));
  const namespace = await client.createNamespace('bad-start');
  const directory = await temporary(scope);
  const spec = { directory, kube: address, source: { namespaces: [namespace] }, ...at.everythingTo(...places) };
  return { namespace, daemon: scope.use(await startDaemonProcess(spec)) };
}

async function temporary(scope: AsyncDisposableStack): Promise<string> {
  return scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-bad-start-'))).path;
}

async function write(address: KubeAddress, namespace: string): Promise<readonly string[]> {
  await using writer = new EventWriter(address);
  await writer.each(ordinaryEvents(namespace, EVENTS), (event) => writer.create(event));
  return [...writer.written.values()].map(({ uid, resourceVersions }) => `${uid}.${resourceVersions[0]}`);
}

async function arrive(subscriber: at.Subscriber, ids: readonly string[]): Promise<void> {
  await until(`all ${ids.length} arrive on ${subscriber.route}`, async () => {
    const seen = new Set((await subscriber.seen()).map(({ id }) => id));
    return ids.every((id) => seen.has(id));
  });
}
