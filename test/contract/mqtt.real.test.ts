import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MQTT, type MQTTMessage } from 'cloudevents';
import { afterAll } from 'vitest';
import { mqtt } from '../../adapters/mqtt.ts';
import { startMosquitto } from '../backends/mosquitto.ts';
import type { DecodedEvent, Fault, Harness, Received } from './harness.ts';
import { mosquittoSub } from './mosquitto-sub.ts';
import { adapterContract } from './suite.ts';

/** One broker by three doors: without a login, with one that an access list binds, and over TLS. */
const MAX_PACKET_SIZE = 200_000;
const mosquitto = await startMosquitto({
  // With no limit at all (0) Mosquitto 2.0.11 takes every refused publish for one above it, and closes the connection.
  settings: [`max_packet_size ${MAX_PACKET_SIZE}`, 'max_queued_messages 100000'],
});
afterAll(() => mosquitto[Symbol.asyncDispose]());

const { program, address } = mosquitto;
const { login, tls } = address;
assert(login && tls);
const file = (name: string) => join(dirname(program.log), name);
await writeFile(file('right'), login.password);
await writeFile(file('wrong'), 'wrong-password');
await writeFile(file('authority.pem'), tls.ca);

const WRONG_SECRET = 'wrong-password';
const never = (what: string) => ({ absent: `Mosquitto ${what}` });

const tooLarge: Fault = {
  on: 'a packet above the Maximum Packet Size of the CONNACK',
  judge: 'adapter',
  async arrange() {
    return {
      spoil: (message) => ({ ...message, data: Buffer.from(JSON.stringify({ note: 'x'.repeat(MAX_PACKET_SIZE) })) }),
      async [Symbol.asyncDispose]() {},
    };
  },
};

const notAuthorized: Fault = {
  on: 'a topic that the access list keeps from this user',
  async arrange() {
    return {
      spoil: (message) => ({ ...message, destination: `refused/${randomUUID()}` }),
      async [Symbol.asyncDispose]() {},
    };
  },
};

const plain: Harness = {
  name: 'mqtt',
  type: mqtt,
  capabilities: mqtt.capabilities,
  broker: { url: address.url },
  routes: { structured: { route: {} }, binary: { route: { mode: 'binary' } } },
  wrongPassword: {
    broker: { url: login.url, username: 'fanout', password: { file: file('wrong') } },
    secret: WRONG_SECRET,
  },
  address: new URL(address.url).host,
  process: {
    freeze: async () => program.pause(),
    thaw: async () => program.resume(),
    kill: () => program.kill(),
    start: () => program.start(),
  },
  faults: {
    throttled: never('sends no quota exceeded'),
    unavailable: never('sends no unspecified error'),
    timeout: never('answers, or the connection is lost'),
    'no-such-destination': never('has no topics that must be made first'),
    'not-authorized': never('is asked without a login here; the variant with one is'),
    'destination-full': never('has nothing that fills up'),
    'too-large': tooLarge,
    'invalid-destination': never('closes the connection over what the names refuse'),
    'invalid-message': never('does not look into a payload'),
  },
  createDestination: async () => `contract/${randomUUID()}`,
  missingDestination: () => `contract/missing/${randomUUID()}`,
  read: (topic) => mosquittoSub({ url: address.url, topic, protocolVersion: 5 }),
  decode,
  async [Symbol.asyncDispose]() {},
};

adapterContract(plain);

adapterContract({
  ...plain,
  name: 'mqtt, 3.1.1',
  broker: { url: address.url, protocolVersion: 4 },
  routes: { structured: { route: {} }, binary: { absent: 'MQTT 3.1.1 has no properties' } },
  wrongPassword: {
    broker: { url: login.url, protocolVersion: 4, username: 'fanout', password: { file: file('wrong') } },
    secret: WRONG_SECRET,
  },
  faults: { ...plain.faults, 'too-large': never('says no size to a 3.1.1 client') },
  read: (topic) => mosquittoSub({ url: address.url, topic, protocolVersion: 4 }),
});

adapterContract({
  ...plain,
  name: 'mqtt, with a login',
  broker: { url: login.url, username: 'limited', password: { file: file('right') } },
  address: new URL(login.url).host,
  faults: { ...plain.faults, 'not-authorized': notAuthorized },
  createDestination: async () => `allowed/${randomUUID()}`,
  missingDestination: () => `allowed/missing/${randomUUID()}`,
  read: (topic) =>
    mosquittoSub({ url: login.url, topic, protocolVersion: 5, login: { user: 'fanout', password: login.password } }),
});

adapterContract({
  ...plain,
  name: 'mqtt, over TLS',
  broker: { url: tls.url, tls: { ca: file('authority.pem') } },
  address: new URL(tls.url).host,
});

/** By the CloudEvents SDK, which knows the MQTT binding; without a Content Type it is MQTT 3.1.1, which is structured. */
function decode({ headers, body }: Received): DecodedEvent {
  const { 'content-type': contentType = 'application/cloudevents+json', ...userProperties } = headers;
  const text = Buffer.from(body).toString();
  const structured = contentType.startsWith('application/cloudevents+json');
  const message: MQTTMessage = {
    PUBLISH: { 'Content Type': contentType },
    headers: userProperties,
    'User Properties': userProperties,
    body: structured ? text : JSON.parse(text),
    payload: text,
  };
  const event = MQTT.toEvent(message);
  assert(!Array.isArray(event));
  const { data, ...attributes } = event;
  // In binary mode the content type is the attribute, which the SDK leaves where it was.
  return { attributes: { ...attributes, ...(!structured && { datacontenttype: contentType }) }, data };
}
