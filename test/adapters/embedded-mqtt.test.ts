import { once } from 'node:events';
import { connect as dial, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { connect, connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddedMqtt } from '../../adapters/embedded-mqtt.ts';

const log = pino({ level: 'silent' });
/** On a busy machine. */
const PATIENCE = { timeout: 30_000 };
let broker: EmbeddedMqtt;
let scope: AsyncDisposableStack;

beforeEach(async () => {
  scope = new AsyncDisposableStack();
  broker = scope.use(await EmbeddedMqtt.start({ port: 0, log }));
});
afterEach(() => scope.disposeAsync());

async function client(options: IClientOptions = {}): Promise<MqttClient> {
  const one = await connectAsync(broker.address, { protocolVersion: 4, reconnectPeriod: 0, ...options }, false);
  scope.defer(() => one.endAsync(true));
  return one;
}

const ours = (options: IClientOptions = {}) =>
  client({ username: broker.username, password: broker.password, ...options });

async function raw(): Promise<Socket> {
  const socket = dial(Number(new URL(broker.address).port), '127.0.0.1').on('error', () => {});
  scope.defer(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The topic and the payload of the next message. */
function nextMessage(one: MqttClient): Promise<readonly [string, string]> {
  return new Promise((resolve) => one.once('message', (topic, payload) => resolve([topic, payload.toString()])));
}

function closing(one: MqttClient | Socket): Promise<void> {
  return new Promise((resolve) => (one instanceof Socket ? one.once('close', resolve) : one.once('close', resolve)));
}

/** What a subscriber is sent is heard by it: the broker still does what it is for. */
async function assertServes(): Promise<void> {
  const [publisher, subscriber] = [await ours(), await client()];
  await subscriber.subscribeAsync('alive/#', { qos: 1 });
  const heard = nextMessage(subscriber);
  await publisher.publishAsync('alive/here', 'yes', { qos: 1 });
  expect(await heard).toEqual(['alive/here', 'yes']);
  await Promise.all([publisher.endAsync(), subscriber.endAsync()]);
}

const CONNECT = Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x78]);
const SUBSCRIBE = Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 1]);

test('routes wait for the first subscriber, and a client that only connects is none', async () => {
  const ready = broker.ready(AbortSignal.timeout(20_000)).then(() => 'ready');
  const subscriber = await client();
  expect(await Promise.race([ready, sleep(50, 'waiting')])).toBe('waiting');
  await subscriber.subscribeAsync('k8s/#', { qos: 2 });
  expect(await ready).toBe('ready');
  await broker.ready(new AbortController().signal);
});

test('a refused subscription is no subscriber either', async () => {
  const ready = broker.ready(AbortSignal.timeout(20_000)).then(() => 'ready');
  await expect((await client()).subscribeAsync('$SYS/#')).rejects.toThrow();
  expect(await Promise.race([ready, sleep(50, 'waiting')])).toBe('waiting');
});

test('who waits for a subscriber is let go when the daemon stops', async () => {
  const stop = new AbortController();
  const ready = broker.ready(stop.signal);
  stop.abort();
  await ready;
});

test('only the daemon publishes: anybody else is disconnected, and nobody hears it', async () => {
  const subscriber = await client();
  await subscriber.subscribeAsync('#', { qos: 1 });
  const heard: string[] = [];
  subscriber.on('message', (topic) => heard.push(topic));
  const stranger = await client();
  const closed = closing(stranger);
  stranger.publish('k8s/forged', 'x', { qos: 1 }, () => {});
  await closed;
  const publisher = await ours();
  await publisher.publishAsync('k8s/real', 'x', { qos: 1 });
  await expect.poll(() => heard).toEqual(['k8s/real']);
});

test('a will is not published when its client is gone', async () => {
  const subscriber = await client();
  await subscriber.subscribeAsync('#', { qos: 1 });
  const heard: string[] = [];
  subscriber.on('message', (topic) => heard.push(topic));
  const dying = await client({ will: { topic: 'k8s/forged', payload: Buffer.from('x'), qos: 1, retain: true } });
  const closed = closing(dying);
  dying.stream.destroy();
  await closed;
  await (await ours()).publishAsync('k8s/real', 'x', { qos: 1 });
  await expect.poll(() => heard).toEqual(['k8s/real']);
});

test('a wrong password is refused, and so is the client id of the daemon in a stranger’s hands', async () => {
  await expect(client({ username: broker.username, password: 'guessed' })).rejects.toThrow(/user ?name or password/i);
  const publisher = await ours({ clientId: 'the-daemon' });
  await expect(client({ clientId: 'the-daemon' })).rejects.toThrow(/not authorized/i);
  expect(publisher.connected).toBe(true);
});

test('the clients are counted without the daemon’s own', async () => {
  await ours();
  expect(broker.clients).toBe(0);
  const one = await client();
  await client();
  expect(broker.clients).toBe(2);
  await one.endAsync();
  await expect.poll(() => broker.clients).toBe(1);
});

test('a session ends with its connection, or its queue would grow for ever', async () => {
  const patient: IClientOptions = { clean: false, clientId: 'patient', protocolVersion: 4, reconnectPeriod: 0 };
  const first = await client(patient);
  await first.subscribeAsync('#', { qos: 1 });
  await first.endAsync();
  await (await ours()).publishAsync('k8s/missed', 'x', { qos: 1 });
  const again = connect(broker.address, { ...patient, manualConnect: true });
  scope.defer(() => again.endAsync(true));
  const heard = nextMessage(again);
  again.connect();
  await again.subscribeAsync('#', { qos: 1 });
  await (await ours()).publishAsync('k8s/now', 'x', { qos: 1 });
  expect(await heard).toEqual(['k8s/now', 'x']);
});

test('a taken port is an error that names it and says what to do', async () => {
  const port = Number(new URL(broker.address).port);
  const error = await EmbeddedMqtt.start({ port, log }).catch((reason: Error) => reason.message);
  expect(error).toBe(
    `The embedded MQTT broker cannot listen on 127.0.0.1:${port}: another program does. End it, or choose another port; 0 takes any that is free.`,
  );
});

test('a packet that never ends is cut off, not gathered', PATIENCE, async () => {
  const socket = await raw();
  socket.write(CONNECT);
  // A SUBSCRIBE of 256 MiB, as its header says.
  socket.write(Buffer.from([0x82, 0xff, 0xff, 0xff, 0x7f]));
  const closed = closing(socket);
  const pump = () => {
    while (!socket.destroyed && socket.write(Buffer.alloc(16 * 1024)));
  };
  socket.on('drain', pump);
  pump();
  await closed;
  expect(socket.bytesWritten).toBeLessThan(16 * 1024 * 1024);
  await assertServes();
});

test('a subscriber that stops reading holds the others up for seconds at most', PATIENCE, async () => {
  const stuck = await raw();
  stuck.write(Buffer.concat([CONNECT, SUBSCRIBE]));
  await once(stuck, 'data');
  stuck.pause();
  const subscriber = await client();
  await subscriber.subscribeAsync('#', { qos: 0 });
  let heard = 0;
  subscriber.on('message', () => heard++);
  const publisher = await ours();
  const count = 300;
  const payload = Buffer.alloc(64 * 1024, 'x');
  await Promise.all(Array.from({ length: count }, () => publisher.publishAsync('k8s/big', payload, { qos: 1 })));
  await expect.poll(() => heard, { timeout: 15_000 }).toBe(count);
});

test('whatever bytes come in, it goes on serving', PATIENCE, async () => {
  const bytes = fc.uint8Array({ maxLength: 64 }).map((one) => Buffer.from(one));
  const header = fc.constantFrom(0x10, 0x20, 0x30, 0x32, 0x34, 0x3d, 0x40, 0x50, 0x62, 0x82, 0xa2, 0xc0, 0xe0, 0xf0);
  const packet = fc.tuple(header, bytes).map(([type, body]) => Buffer.concat([Buffer.of(type, body.length), body]));
  const start = fc.constantFrom(Buffer.alloc(0), CONNECT, Buffer.concat([CONNECT, SUBSCRIBE]));
  const hostile = fc.tuple(start, fc.array(fc.oneof(packet, bytes), { minLength: 1, maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(hostile, async ([first, rest]) => {
      const socket = await raw();
      const closed = closing(socket);
      socket.resume();
      socket.end(Buffer.concat([first, ...rest]));
      await closed;
    }),
    { numRuns: 300 },
  );
  await assertServes();
});
