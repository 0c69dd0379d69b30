/** Who reads what the daemon has published: each with another client than the daemon's, wherever there is one. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { PubSub, v1 } from '@google-cloud/pubsub';
import { Kafka, logLevel } from 'kafkajs';
import { connectAsync } from 'mqtt';
import { STRUCTURED_CONTENT_TYPE } from '../../src/adapter.ts';
import type { KafkaAddress } from '../backends/kafka.ts';
import type { MosquittoAddress } from '../backends/mosquitto.ts';
import type { NatsAddress } from '../backends/nats.ts';
import type { PubSubAddress } from '../backends/pubsub.ts';
import { mosquittoSub } from '../contract/mosquitto-sub.ts';
import { readStream } from '../contract/nats-streams.ts';
import { NatsWire } from '../contract/nats-wire.ts';
import { decode, decoder, type Seen } from './seen.ts';

/** Where the daemon shall publish: the entries of its config. */
export interface Place {
  readonly route: string;
  readonly broker: object;
  readonly to: object;
}

export interface Subscriber extends Place, AsyncDisposable {
  /** Everything so far. */
  seen(): Promise<readonly Seen[]>;
}

/** The part of a config that gives each place everything. */
export function everythingTo(...places: readonly Place[]) {
  return {
    brokers: Object.fromEntries(places.map(({ route, broker }) => [route, broker])),
    routes: places.map(({ route, to }) => ({ name: route, to: { broker: route, ...to } })),
  };
}

export function kafkaPlace({ bootstrap }: KafkaAddress, topic: string): Place {
  return { route: 'kafka', broker: { kafka: { bootstrap: bootstrap.split(',') } }, to: { topic } };
}

/** Makes the topic, with entries of its configuration. `lean` may leave out what nobody asks for, where there is much. */
export async function kafkaSubscriber(
  at: KafkaAddress,
  topic = `events-${randomUUID()}`,
  config: Readonly<Record<string, string>> = {},
  lean = (seen: Seen): Seen => seen,
): Promise<Subscriber> {
  const { bootstrap } = at;
  const admin = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }).admin();
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 3, configEntries }], waitForLeaders: true });
  await admin.disconnect();
  const decoded = decoder(lean);
  return {
    ...kafkaPlace(at, topic),
    async seen() {
      const args = ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-J'];
      const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(kcat, 'close');
      const found: Seen[] = [];
      // Line by line: all of them may be more than a string can hold.
      for await (const line of linesOf(kcat.stdout.setEncoding('utf8'))) found.push(kafkaEvent(line, decoded));
      const [status] = await ended;
      if (status !== 0) throw new Error(`kcat ended with ${status}`);
      return found;
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Not as readline has them, for which a U+2028 within a text ends a line too. */
async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of text) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** Told from others by its place and time: a topic that is made anew begins at 0 again. */
function kafkaEvent(line: string, decoded: ReturnType<typeof decoder>): Seen {
  const { topic, partition, offset, ts, key, headers, payload } = JSON.parse(line);
  const named: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) named[headers[i]] = headers[i + 1];
  const place = { topic, partition, offset };
  const received = { key, headers: named, body: Buffer.from(payload), place };
  return decoded(received, String(partition), `${partition} ${offset} ${ts}`);
}

/** Subscribed from the start on, for MQTT keeps nothing for those who come later. */
export async function mqttSubscriber({ url }: MosquittoAddress): Promise<Subscriber> {
  const root = randomUUID();
  const reader = await mosquittoSub({ url, topic: `${root}/#`, protocolVersion: 5 });
  const decoded = decoder();
  return {
    route: 'mqtt',
    broker: { mqtt: { url } },
    to: { topic: `${root}/{event.metadata.namespace}/{event.regarding.kind}/{event.reason}` },
    seen: async () => (await reader.received(0)).map((one) => decoded(one, 'all')),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** With a session that the broker keeps: it gets what was published while it, or the broker, was away. */
export async function mqttSession({ url }: MosquittoAddress, topic = `${randomUUID()}/all`): Promise<Subscriber> {
  const found: Seen[] = [];
  const session = { clientId: randomUUID(), clean: false, reconnectPeriod: 100, protocolVersion: 4 } as const;
  const client = await connectAsync(url, session);
  client.on('error', () => {});
  client.on('message', (_, body) => {
    found.push(decode({ headers: { 'content-type': STRUCTURED_CONTENT_TYPE }, body }, 'all'));
  });
  await client.subscribeAsync(topic, { qos: 1 });
  return {
    route: 'mqtt',
    broker: { mqtt: { url } },
    to: { topic },
    seen: async () => found,
    [Symbol.asyncDispose]: () => client.endAsync(true),
  };
}

export interface NatsSubscriber extends Subscriber {
  /** How many messages are stored: cheaper than to read them all. */
  count(): Promise<number>;
}

export function natsPlace(at: NatsAddress, stream: string): Place {
  return { route: 'nats', broker: { nats: { servers: [at.url] } }, to: { subject: `${stream}.all` } };
}

/** Makes the stream, for one route, with entries that join or replace those of its configuration. */
export async function natsSubscriber(
  at: NatsAddress,
  stream = `EVENTS${randomUUID().replaceAll('-', '')}`,
  config: object = {},
): Promise<NatsSubscriber> {
  await using wire = await NatsWire.connect(at);
  const whole = { name: stream, subjects: [`${stream}.all`], storage: 'file', retention: 'limits', ...config };
  await wire.jetStream(`STREAM.CREATE.${stream}`, whole);
  const reader = readStream(at, `stream.${stream}`);
  const decoded = decoder();
  return {
    ...natsPlace(at, stream),
    seen: async () => (await reader.received(0)).map((one) => decoded(one, 'all')),
    async count() {
      await using asking = await NatsWire.connect(at);
      const { state } = await asking.jetStream<{ state: { messages: number } }>(`STREAM.INFO.${stream}`, {});
      return state.messages;
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** One stream, for as many routes as there are roots of subjects. */
export async function natsSubscribers(at: NatsAddress): Promise<readonly Subscriber[]> {
  const name = `EVENTS${randomUUID().replaceAll('-', '')}`;
  const subjects = [`${name}.reasons.*.*`, `${name}.all`];
  await using wire = await NatsWire.connect(at);
  await wire.jetStream(`STREAM.CREATE.${name}`, { name, subjects, storage: 'file', retention: 'limits' });
  const reader = readStream(at, `stream.${name}`);
  const decoded = decoder();
  const subscriber = (route: string, subject: string): Subscriber => ({
    route,
    broker: { nats: { servers: [at.url] } },
    to: { subject },
    async seen() {
      const all = await reader.received(0);
      return all
        .filter(({ headers }) => headers['Nats-Msg-Id']?.endsWith(`/${route}`))
        .map((one) => decoded(one, 'all'));
    },
    async [Symbol.asyncDispose]() {},
  });
  return [
    subscriber('nats', `${name}.reasons.{event.metadata.namespace}.{event.reason}`),
    subscriber('nats-again', `${name}.all`),
  ];
}

export const PUBSUB_PROJECT = 'main-job';

export function pubSubPlace({ endpoint }: PubSubAddress, topic: string): Place {
  return {
    route: 'pubsub',
    broker: { pubsub: { projectId: PUBSUB_PROJECT, endpoint: `http://${endpoint}` } },
    to: { topic },
  };
}

/** Makes the topic, and a subscription before anything can be published there. */
const PULL_MS = 5_000;

export async function pubSubSubscriber(at: PubSubAddress, name = `events-${randomUUID()}`): Promise<Subscriber> {
  await using scope = new AsyncDisposableStack();
  const { endpoint } = at;
  const clientOptions = { universeDomain: 'googleapis.com' };
  const sdk = new PubSub({ projectId: PUBSUB_PROJECT, apiEndpoint: endpoint, emulatorMode: true, clientOptions });
  scope.defer(() => sdk.close());
  const [topic] = await sdk.createTopic(name);
  const [subscription] = await topic.createSubscription(`all-${randomUUID()}`, { enableMessageOrdering: true });
  const reader = new v1.SubscriberClient({ ...(await sdk.getClientConfig()) });
  scope.defer(() => reader.close());
  const found: { readonly number: number; readonly seen: Seen }[] = [];
  const pull = async () => {
    const [{ receivedMessages }] = await reader.pull({
      subscription: subscription.name,
      maxMessages: 1_000,
      returnImmediately: true,
    });
    const messages = receivedMessages ?? [];
    for (const { message } of messages) {
      const received = {
        key: message?.orderingKey ?? '',
        headers: message?.attributes ?? {},
        body: Buffer.from(message?.data ?? ''),
        place: { topic: name, messageId: message?.messageId ?? '' },
      };
      // The fake numbers its messages in the order in which it took them: m0, m1, …
      found.push({ number: Number(message?.messageId?.slice(1)), seen: decode(received, 'all') });
    }
    const ackIds = messages.map(({ ackId }) => ackId ?? '');
    if (ackIds.length > 0) await reader.acknowledge({ subscription: subscription.name, ackIds });
    return messages.length;
  };
  const pullAll = async () => {
    while ((await pull()) > 0);
  };
  let pulled = Promise.resolve();
  const next = () => {
    pulled = pulled.then(pullAll, pullAll);
    return pulled;
  };
  // The fake forgets what nobody has fetched for ten minutes. Whoever asks hears of what fails.
  const timer = setInterval(() => next().catch(() => {}), PULL_MS);
  scope.defer(() => clearInterval(timer));
  const owned = scope.move();
  return {
    ...pubSubPlace(at, name),
    async seen() {
      await next();
      return found.toSorted((a, b) => a.number - b.number).map(({ seen }) => seen);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
