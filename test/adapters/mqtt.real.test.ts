/** What Mosquitto does that the contract does not ask about. */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { afterAll, describe, expect, test } from 'vitest';
import { mqtt } from '../../adapters/mqtt.ts';
import type { Adapter, Message, Outcome } from '../../src/adapter.ts';
import { type MosquittoBackend, startMosquitto } from '../backends/mosquitto.ts';
import { freePort } from '../backends/process.ts';
import { assertConnectionLost, never } from '../contract/case.ts';
import { message } from '../contract/message.ts';
import { mosquittoSub } from '../contract/mosquitto-sub.ts';
import { canStart } from '../contract/own-broker.ts';

const MAX_PACKET_SIZE = 4_000;
const log = pino({ level: 'silent' });

async function open(broker: object, route: object = {}): Promise<Adapter & AsyncDisposable> {
  const options = [mqtt.brokerOptions.parse(broker), mqtt.routeOptions.parse(route)] as const;
  const adapter = await mqtt.create(...options, { clientId: 'case', log });
  try {
    await adapter.connect(never());
  } catch (error) {
    await adapter.close();
    throw error;
  }
  return Object.assign(adapter, { [Symbol.asyncDispose]: () => adapter.close() });
}

async function publish(adapter: Adapter, one: Message): Promise<Outcome | undefined> {
  return (await adapter.publish([one], never()))[0];
}

/** A message whose body has so many bytes, in binary mode. */
function sized(bytes: number, destination = `sized/${randomUUID()}`): Message {
  return message({ destination, data: 'x'.repeat(bytes - 2) });
}

async function problemOf(broker: object): Promise<string> {
  return open(broker).then(
    () => 'connected',
    (error: Error) => error.message,
  );
}

function cases({ address: { url, login, tls }, program }: MosquittoBackend, webSocket: string): void {
  test('a message for which nobody is there is delivered, and the receipt says that nobody was', async () => {
    await using adapter = await open({ url });
    const topic = `lonely/${randomUUID()}`;
    const alone = await publish(adapter, message({ destination: topic }));
    expect(alone).toMatchObject({ kind: 'delivered', receipt: { topic, reasonCode: 16 } });
    await using _reader = await mosquittoSub({ url, topic, protocolVersion: 5 });
    const heard = await publish(adapter, message({ destination: topic }));
    expect(heard).toMatchObject({ kind: 'delivered', receipt: { topic, reasonCode: 0, reason: 'success' } });
  });

  test('the Maximum Packet Size is known to the byte', async () => {
    await using adapter = await open({ url }, { mode: 'binary' });
    let [fits, tooLarge] = [1_000, MAX_PACKET_SIZE];
    while (tooLarge - fits > 1) {
      const bytes = Math.floor((fits + tooLarge) / 2);
      const outcome = await publish(adapter, sized(bytes, 'sized/to-the-byte'));
      if (outcome?.kind === 'delivered') fits = bytes;
      else tooLarge = bytes;
    }
    const said = await publish(adapter, sized(tooLarge, 'sized/to-the-byte'));
    expect(said).toMatchObject({ kind: 'reject', reason: 'too-large', judge: 'adapter' });
    expect(said).toHaveProperty(
      'detail',
      `The packet has ${MAX_PACKET_SIZE + 1} bytes; the MQTT broker takes ${MAX_PACKET_SIZE}.`,
    );
    expect((await publish(adapter, sized(fits, 'sized/to-the-byte')))?.kind).toBe('delivered');
  });

  test('a limit that Mosquitto keeps to itself costs the connection, and MQTT 3.1.1 does not hear of it at all', async () => {
    await using broker = await startMosquitto({ settings: ['message_size_limit 3000', 'max_queued_messages 100000'] });
    const small = broker.address.url;
    await using adapter = await open({ url: small });
    await assertConnectionLost(publish(adapter, sized(4_000)));
    await using older = await open({ url: small, protocolVersion: 4 });
    const topic = `sized/${randomUUID()}`;
    await using reader = await mosquittoSub({ url: small, topic, protocolVersion: 4 });
    expect((await publish(older, sized(4_000, topic)))?.kind).toBe('delivered');
    expect((await publish(older, sized(100, topic)))?.kind).toBe('delivered');
    expect(await reader.received(1)).toHaveLength(1);
  });

  test('no hostile name, reason or key breaks the connection', async () => {
    await using adapter = await open({ url });
    const hostile = [
      '\u0000',
      '\u0001',
      'a\nb',
      '\u007f\u0085',
      '\ufdd0\ufffe',
      '\ud800',
      '+',
      '#',
      '$SYS',
      '/',
      'ü🙈',
    ];
    for (const value of hostile) {
      const destination = `k8s/${mqtt.destination.escape(value)}/x`;
      expect((await publish(adapter, message({ destination, key: `Pod/${value}` })))?.kind).toBe('delivered');
    }
  });

  test('a retained message is there for who comes later, and a replay does not replace it', async () => {
    await using adapter = await open({ url }, { retain: true });
    const topic = `retained/${randomUUID()}`;
    const last = message({ destination: topic });
    const replayed = message({ destination: topic, attributes: { origin: 'replay' } });
    expect((await publish(adapter, last))?.kind).toBe('delivered');
    expect((await publish(adapter, replayed))?.kind).toBe('delivered');
    await using reader = await mosquittoSub({ url, topic, protocolVersion: 5 });
    const [found] = await reader.received(1);
    expect(JSON.parse(Buffer.from(found?.body ?? '').toString()).id).toBe(last.attributes.id);
  });

  test('more messages at once than the broker wants unacknowledged all get their PUBACK', async () => {
    await using adapter = await open({ url });
    const many = Array.from({ length: 500 }, (_, i) => message({ destination: 'many', key: `Pod/web/${i}` }));
    const outcomes = await Promise.all(many.map((one) => publish(adapter, one)));
    expect(outcomes.every((outcome) => outcome?.kind === 'delivered')).toBe(true);
  });

  test('events go by WebSocket too', async () => {
    await using adapter = await open({ url: webSocket });
    expect((await publish(adapter, message({ destination: 'by/websocket' })))?.kind).toBe('delivered');
  });

  test('what cannot work says why', async () => {
    const port = await freePort();
    expect(await problemOf({ url: `mqtt://127.0.0.1:${port}` })).toBe(
      `Cannot reach the MQTT broker at mqtt://127.0.0.1:${port}: nothing listens there.`,
    );
    expect(await problemOf({ url: tls?.url })).toMatch(/certificate is signed by an unknown authority.*`tls\.ca`/);
    expect(await problemOf({ url: url.replace('mqtt:', 'mqtts:') })).toMatch(/does not speak TLS|expect TLS, or none/);
    expect(await problemOf({ url: tls?.url.replace('mqtts:', 'mqtt:') })).toMatch(/expect TLS, or none/);
    expect(await problemOf({ url: login?.url })).toMatch(/refused the login without a username/);
    const noPem = { ca: import.meta.filename };
    expect(await problemOf({ url: tls?.url, tls: noPem })).toMatch(/mqtts:\/\//);
    expect(await problemOf({ url: tls?.url, tls: { ca: '/nowhere/ca.pem' } })).toMatch(
      /tls\.ca: cannot read \/nowhere/,
    );
  });

  test('an orderly end of the broker is a lost connection', async () => {
    await using adapter = await open({ url });
    await program.stop();
    await assertConnectionLost(publish(adapter, message({ destination: 'x' })));
    await program.start();
  });
}

if (await canStart('mosquitto')) {
  const webSocket = await freePort();
  const settings = [`max_packet_size ${MAX_PACKET_SIZE}`, 'max_queued_messages 100000'];
  const broker = await startMosquitto({
    settings: [...settings, `listener ${webSocket} 127.0.0.1`, 'protocol websockets', 'allow_anonymous true'],
  });
  afterAll(() => broker[Symbol.asyncDispose]());
  describe('mqtt on Mosquitto', () => cases(broker, `ws://127.0.0.1:${webSocket}/mqtt`));
}
