/** The MQTT adapter on the broker inside the daemon, as the two meet when no config is given. */
import { randomUUID } from 'node:crypto';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudEvent } from 'cloudevents';
import { connectAsync } from 'mqtt';
import pino from 'pino';
import { EmbeddedMqtt } from '../../adapters/embedded-mqtt.ts';
import { mqtt } from '../../adapters/mqtt.ts';
import { Arrivals } from './arrivals.ts';
import type { DecodedEvent, Harness, Reader, Received } from './harness.ts';
import { adapterContract } from './suite.ts';

const NO_PROCESS = { absent: 'it lives in this process, and dies with it' };
const SILENT = { absent: 'aedes says nothing of the kind' };

async function embedded(): Promise<Harness> {
  await using scope = new AsyncDisposableStack();
  const broker = scope.use(await EmbeddedMqtt.start({ port: 0, log: pino({ level: 'silent' }) }));
  const folder = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-contract-'))).path;
  const [right, wrong] = [join(folder, 'right'), join(folder, 'wrong')];
  await writeFile(right, broker.password);
  await writeFile(wrong, 'wrong-password');
  const login = { url: broker.address, protocolVersion: 4, username: broker.username };
  const owned = scope.move();
  return {
    name: 'mqtt, embedded',
    type: mqtt,
    capabilities: mqtt.capabilities,
    broker: { ...login, password: { file: right } },
    routes: { structured: { route: {} }, binary: { absent: 'MQTT 3.1.1 has no properties' } },
    wrongPassword: { broker: { ...login, password: { file: wrong } }, secret: 'wrong-password' },
    address: new URL(broker.address).host,
    process: NO_PROCESS,
    faults: {
      throttled: SILENT,
      unavailable: SILENT,
      timeout: SILENT,
      'no-such-destination': SILENT,
      'not-authorized': SILENT,
      'destination-full': SILENT,
      'too-large': SILENT,
      'invalid-destination': SILENT,
      'invalid-message': SILENT,
    },
    createDestination: async () => `contract/${randomUUID()}`,
    missingDestination: () => `contract/missing/${randomUUID()}`,
    read: (topic) => subscribe(broker.address, topic),
    decode,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function subscribe(address: string, topic: string): Promise<Reader> {
  const client = await connectAsync(address, { protocolVersion: 4, reconnectPeriod: 0 });
  const arrivals = new Arrivals();
  client.on('message', (_topic, body) => arrivals.add({ headers: {}, body }));
  await client.subscribeAsync(topic, { qos: 1 });
  return {
    received: (count) => arrivals.received(count),
    [Symbol.asyncDispose]: () => client.endAsync(),
  };
}

function decode({ body }: Received): DecodedEvent {
  const { data, ...attributes } = new CloudEvent(JSON.parse(Buffer.from(body).toString())).toJSON();
  return { attributes, data };
}

adapterContract(await embedded());
