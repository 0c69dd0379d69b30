import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { connectAsync, connect as connectMqtt, type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, test, vi } from 'vitest';
import { backend } from './backend.ts';
import { startKafka } from './kafka.ts';
import { startMosquitto } from './mosquitto.ts';
import { startNats } from './nats.ts';

/** Each broker answers its usual client, and one of a test's own is killed and keeps what it had acknowledged. */

const [kafka, mosquitto, nats, pubsub] = [backend('kafka'), backend('mosquitto'), backend('nats'), backend('pubsub')];

describe.skipIf(kafka === null)('Kafka', () => {
  test('stores a message and gives it back', async () => {
    const client = kafkaClient({ brokers: [kafka?.bootstrap ?? ''] });
    const topic = await storeInKafka(client, 'hello');
    expect(await readFromKafka(client, topic)).toBe('hello');
  });

  test.skipIf(!kafka?.sasl)('lets in who knows the password, by either mechanism, and nobody else', async () => {
    const { bootstrap = '', username = '', password = '' } = kafka?.sasl ?? {};
    const login = (password: string) => [
      kafkaClient({ brokers: [bootstrap], sasl: { mechanism: 'plain', username, password } }),
      kafkaClient({ brokers: [bootstrap], sasl: { mechanism: 'scram-sha-512', username, password } }),
    ];
    for (const client of login(password)) await storeInKafka(client, 'hello');
    for (const client of login('wrong')) await expect(storeInKafka(client, 'hello')).rejects.toThrow(/authentication/i);
  });

  test.skipIf(!kafka?.tls)('proves who it is by a certificate of its authority', async () => {
    const { bootstrap = '', username = '', password = '', ca = '' } = kafka?.tls ?? {};
    const sasl = { mechanism: 'scram-sha-512', username, password } as const;
    await storeInKafka(kafkaClient({ brokers: [bootstrap], ssl: { ca }, sasl }), 'hello');
    await expect(storeInKafka(kafkaClient({ brokers: [bootstrap], ssl: true, sasl }), 'hello')).rejects.toThrow(
      /certificate/,
    );
  });

  test.skipIf(!kafka?.sasl)(
    'comes back from a kill at the same address with what it had stored',
    async () => {
      await using own = await startKafka();
      const client = kafkaClient({ brokers: [own.address.bootstrap] });
      const topic = await storeInKafka(client, 'before the kill');
      await own.program.kill();
      await own.program.start();
      expect(await kafkaHolds(client, topic)).toBe(1);
    },
    240_000,
  );
});

describe.skipIf(mosquitto === null)('Mosquitto', () => {
  test('passes a message on', async () => {
    expect(await passOnByMqtt(mosquitto?.url ?? '')).toBe('hello');
  });

  test.skipIf(!mosquitto?.login)('lets in who knows the password and nobody else', async () => {
    const { url = '', password = '', users: [username = ''] = [] } = mosquitto?.login ?? {};
    expect(await passOnByMqtt(url, { username, password })).toBe('hello');
    await expect(passOnByMqtt(url, { username, password: 'wrong' })).rejects.toThrow(/not authorized/i);
  });

  test.skipIf(!mosquitto?.tls)('proves who it is by a certificate of its authority', async () => {
    const { url = '', ca = '' } = mosquitto?.tls ?? {};
    expect(await passOnByMqtt(url, { ca })).toBe('hello');
    await expect(passOnByMqtt(url)).rejects.toThrow(/certificate/);
  });

  test.skipIf(!mosquitto?.tls)(
    'comes back from a kill with what it had saved for a subscriber who was away',
    async () => {
      await using own = await startMosquitto({ durable: true });
      const session = { clientId: 'away', clean: false, protocolVersion: 4 } as const;
      const before = await connectAsync(own.address.url, session);
      await before.subscribeAsync('things', { qos: 1 });
      await before.endAsync();
      const writer = await connectAsync(own.address.url);
      await writer.publishAsync('things', 'before the kill', { qos: 1 });
      await writer.endAsync(true);
      const saved = join(dirname(own.program.log), 'mosquitto.db');
      await expect.poll(() => readFile(saved, 'latin1')).toContain('before the kill');
      await own.program.kill();
      await own.program.start();
      const after = connectMqtt(own.address.url, session);
      const payload = await nextPayload(after);
      await after.endAsync();
      expect(payload).toBe('before the kill');
    },
  );
});

describe.skipIf(nats === null)('NATS', () => {
  test('stores a message in a stream and gives it back', async () => {
    const subject = `things.${crypto.randomUUID()}`;
    await storeInStream(nats?.url ?? '', subject);
    expect(await readFromStream(nats?.url ?? '', subject)).toBe('hello');
  });

  test.skipIf(!nats?.login)('demands a password and TLS where a test wants that', async () => {
    await using own = await startNats({ tls: true, loginRequired: true });
    const { url: servers, ca = '', login } = own.address;
    const options = { servers, tls: { ca }, user: 'fanout', reconnect: false };
    await (await connect({ ...options, pass: login?.password ?? '' })).close();
    await expect(connect({ ...options, pass: 'wrong' })).rejects.toThrow(/authorization/i);
    await expect(connect({ servers, reconnect: false })).rejects.toThrow();
  });

  test.skipIf(!nats?.login)('comes back from a kill at the same address with what it had stored', async () => {
    await using own = await startNats();
    await storeInStream(own.address.url, 'things.stored');
    await own.program.kill();
    await own.program.start();
    expect(await readFromStream(own.address.url, 'things.stored')).toBe('hello');
  });
});

describe.skipIf(pubsub === null)('Pub/Sub', () => {
  test('passes messages of one key on in their order', async () => {
    // Else the SDK looks for a cloud around it before it talks to the address that it was given.
    vi.stubEnv('METADATA_SERVER_DETECTION', 'none');
    const client = new PubSub({ projectId: 'test', apiEndpoint: pubsub?.endpoint ?? '', emulatorMode: true });
    const name = `things-${crypto.randomUUID()}`;
    const [topic] = await client.createTopic(name);
    const [subscription] = await topic.createSubscription(name, { enableMessageOrdering: true });
    topic.setPublishOptions({ messageOrdering: true });
    const sent = ['first', 'second', 'third'];
    await Promise.all(sent.map((text) => topic.publishMessage({ data: Buffer.from(text), orderingKey: 'key' })));
    const received: string[] = [];
    const all = new Promise<void>((resolve) => {
      subscription.on('message', (message) => {
        message.ack();
        if (received.push(message.data.toString()) === sent.length) resolve();
      });
    });
    await all;
    await subscription.close();
    await client.close();
    expect(received).toEqual(sent);
  });
});

function kafkaClient(options: KafkaConfig): Kafka {
  return new Kafka({ logLevel: logLevel.NOTHING, retry: { retries: 1 }, ...options });
}

async function storeInKafka(client: Kafka, value: string): Promise<string> {
  const topic = `things-${crypto.randomUUID()}`;
  const [admin, producer] = [client.admin(), client.producer()];
  try {
    await admin.connect();
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
    await producer.connect();
    await producer.send({ topic, messages: [{ value }] });
    return topic;
  } finally {
    await producer.disconnect();
    await admin.disconnect();
  }
}

async function kafkaHolds(client: Kafka, topic: string): Promise<number> {
  const admin = client.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

async function readFromKafka(client: Kafka, topic: string): Promise<string | undefined> {
  const consumer = client.consumer({ groupId: crypto.randomUUID(), retry: { retries: 8 } });
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) });
  const value = await promise;
  await consumer.disconnect();
  return value;
}

async function passOnByMqtt(url: string, options: IClientOptions = {}): Promise<string> {
  const client = await connectAsync(url, { ...options, reconnectPeriod: 0 }, false);
  const topic = `things/${crypto.randomUUID()}`;
  await client.subscribeAsync(topic, { qos: 1 });
  const payload = nextPayload(client);
  await client.publishAsync(topic, 'hello', { qos: 1 });
  await payload;
  await client.endAsync();
  return payload;
}

function nextPayload(client: MqttClient): Promise<string> {
  return new Promise((resolve) => client.once('message', (_topic, payload) => resolve(payload.toString())));
}

async function storeInStream(servers: string, subject: string): Promise<void> {
  const connection = await connect({ servers });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: subject.replaceAll('.', '-'), subjects: [subject] });
  await jetstream(connection).publish(subject, 'hello');
  await connection.close();
}

async function readFromStream(servers: string, subject: string): Promise<string | undefined> {
  const connection = await connect({ servers });
  const manager = await jetstreamManager(connection);
  const message = await manager.streams.getMessage(subject.replaceAll('.', '-'), { last_by_subj: subject });
  await connection.close();
  return message?.string();
}
