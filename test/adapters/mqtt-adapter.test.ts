/** What no broker at hand can be made to say, from a server that speaks just enough MQTT 5 to say it. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { mqtt } from '../../adapters/mqtt.ts';
import type { Adapter } from '../../src/adapter.ts';
import { assertConnectionLost, never } from '../contract/case.ts';
import { message } from '../contract/message.ts';

const CONNACK_PROPERTIES = {
  receiveMaximum: (count: number) => [0x21, count >> 8, count & 0xff],
  noQos: [0x24, 0],
  noRetain: [0x25, 0],
};

interface Server extends AsyncDisposable {
  readonly url: string;
  /** Of the PUBLISH packets so far, in their order. */
  readonly packetIds: readonly number[];
  send(...bytes: readonly number[]): void;
  /** Says it, and closes the connection. */
  end(...bytes: readonly number[]): void;
}

/** `onPublish` is called for each PUBLISH with its packet id. */
async function serve(
  properties: readonly number[] = [],
  onPublish: (id: number, server: Server) => void = () => {},
): Promise<Server> {
  let socket: Socket | undefined;
  const packetIds: number[] = [];
  const server = createServer((connection) => {
    socket = connection;
    connection.on('error', () => {});
    let rest = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = packetEnd(rest); end !== undefined && end <= rest.length; end = packetEnd(rest)) {
        take(rest.subarray(0, end));
        rest = rest.subarray(end);
      }
    });
  });
  const self: Server = {
    get url() {
      const address = server.address();
      return `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    },
    packetIds,
    send: (...bytes) => void socket?.write(Buffer.from(bytes)),
    end: (...bytes) => void socket?.end(Buffer.from(bytes)),
    async [Symbol.asyncDispose]() {
      socket?.destroy();
      await once(server.close(), 'close');
    },
  };
  const take = (packet: Buffer) => {
    const kind = (packet[0] ?? 0) >> 4;
    if (kind === 1) self.send(0x20, 3 + properties.length, 0, 0, properties.length, ...properties);
    if (kind !== 3) return;
    const id = packetIdOf(packet);
    packetIds.push(id);
    onPublish(id, self);
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return self;
}

/** Where the first packet ends, when its length is known. */
function packetEnd(bytes: Buffer): number | undefined {
  let length = 0;
  for (let at = 1; at < Math.min(bytes.length, 5); at++) {
    const byte = bytes[at] ?? 0;
    length += (byte & 0x7f) * 128 ** (at - 1);
    if (byte < 128) return at + 1 + length;
  }
  return undefined;
}

function packetIdOf(packet: Buffer): number {
  const body = packet.findIndex((byte, at) => at > 0 && byte < 128) + 1;
  return packet.readUInt16BE(body + 2 + packet.readUInt16BE(body));
}

async function open(url: string, route: object = {}): Promise<Adapter & AsyncDisposable> {
  const context = { clientId: 'test', log: pino({ level: 'silent' }) };
  const options = [mqtt.brokerOptions.parse({ url }), mqtt.routeOptions.parse(route)] as const;
  const adapter = await mqtt.create(...options, context);
  try {
    await adapter.connect(never());
  } catch (error) {
    await adapter.close();
    throw error;
  }
  return Object.assign(adapter, { [Symbol.asyncDispose]: () => adapter.close() });
}

const puback = (id: number, code: number) => [0x40, 4, id >> 8, id & 0xff, code, 0];
const messages = (count: number) =>
  Array.from({ length: count }, (_, i) => message({ destination: 'x', key: `Pod/web/${i}` }));

describe('what the broker answers is the verdict on that message alone:', () => {
  test('each reason code, in one batch, answered in another order', async () => {
    const codes = [0, 16, 128, 131, 135, 144, 151, 153];
    await using server = await serve([], (_, { packetIds, send }) => {
      if (packetIds.length < codes.length) return;
      const answers = packetIds.map((id, i) => puback(id, codes[i] ?? 0));
      send(...answers.toReversed().flat());
    });
    await using adapter = await open(server.url);
    const outcomes = await adapter.publish(messages(codes.length), never());
    expect(outcomes.map((one) => (one.kind === 'delivered' ? one.receipt.reasonCode : one.reason))).toEqual([
      0,
      16,
      'unavailable',
      'unavailable',
      'not-authorized',
      'invalid-destination',
      'throttled',
      'invalid-message',
    ]);
  });
});

test('no more is unacknowledged than the broker’s Receive Maximum, and all of it goes', async () => {
  let most = 0;
  let unanswered = 0;
  await using server = await serve(CONNACK_PROPERTIES.receiveMaximum(3), (id, { send }) => {
    most = Math.max(most, ++unanswered);
    setImmediate(() => {
      unanswered--;
      send(...puback(id, 0));
    });
  });
  await using adapter = await open(server.url);
  const batches = await Promise.all(messages(40).map((one) => adapter.publish([one], never())));
  expect(batches.flat().every(({ kind }) => kind === 'delivered')).toBe(true);
  expect(most).toBeLessThanOrEqual(3);
  expect(server.packetIds).toHaveLength(40);
});

test('the reason of the broker’s DISCONNECT is the reason of the lost connection, also for what comes later', async () => {
  await using server = await serve([], (_, { end }) => end(0xe0, 1, 0x8e));
  await using adapter = await open(server.url);
  const [one, other] = [adapter.publish(messages(1), never()), adapter.publish(messages(1), never())];
  await expect(one).rejects.toThrow(/session taken over/);
  await assertConnectionLost(other);
  await assertConnectionLost(adapter.publish(messages(1), never()));
});

test('an answer that is not MQTT is a lost connection, not a crash', async () => {
  await using server = await serve([], (_, { send }) => send(0x00, 0xff, 0xff, 0xff, 0xff, 0xff));
  await using adapter = await open(server.url);
  await assertConnectionLost(adapter.publish(messages(1), never()));
});

test('terms under which nothing can be delivered are refused by name', async () => {
  await using noQos = await serve(CONNACK_PROPERTIES.noQos);
  await expect(open(noQos.url)).rejects.toThrow(/only offers QoS 0/);
  await using noRetain = await serve(CONNACK_PROPERTIES.noRetain);
  await expect(open(noRetain.url, { retain: true })).rejects.toThrow(/remove `retain`/);
  await using _fine = await open(noRetain.url);
});
