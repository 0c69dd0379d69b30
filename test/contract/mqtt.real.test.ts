import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MQTT, type MQTTMessage } from 'cloudevents';
import { afterAll } from 'vitest';
import { mqtt } from '../../adapters/mqtt.ts';
import type { Message } from '../../src/adapter.ts';
import { startMosquitto } from '../backends/mosquitto.ts';
import type { DecodedEvent, Fault, Harness, Received } from './harness.ts';
import { mosquittoSub } from './mosquitto-sub.ts';
import { canStart, powerOver } from './own-broker.ts';
import { adapterContract } from './suite.ts';

const WRONG = 'wrong-password';
const MAX_PACKET_SIZE = 200_000;

/** One broker with three doors: without a login, with one that an access list binds, and over TLS. */
async function startBroker() {
  const broker = await startMosquitto({
    // With no limit at all (0) Mosquitto 2.0.11 takes every refused publish for one above it, and closes the connection.
    settings: [`max_packet_size ${MAX_PACKET_SIZE}`, 'max_queued_messages 100000'],
  });
  const { login, tls } = broker.address;
  if (!login || !tls) throw new Error('This Mosquitto has only one door.');
  const keep = async (name: string, content: string) => {
    const file = join(dirname(broker.program.log), name);
    await writeFile(file, content);
    return { file };
  };
  const [right, wrong] = [await keep('right', login.password), await keep('wrong', WRONG)];
  const { file: ca } = await keep('authority.pem', tls.ca);
  return { broker, url: broker.address.url, login, tls: { url: tls.url, ca }, right, wrong };
}
type Doors = Awaited<ReturnType<typeof startBroker>>;

/** A fault that is in the message alone. */
function inMessage(on: string, change: () => Partial<Message>, judge?: Fault['judge']): Fault {
  return {
    on,
    ...(judge && { judge }),
    async arrange() {
      return { spoil: (message) => ({ ...message, ...change() }), async [Symbol.asyncDispose]() {} };
    },
  };
}

const note = (bytes: number) => Buffer.from(JSON.stringify({ note: 'x'.repeat(bytes) }));
const never = (what: string) => ({ absent: `Mosquitto ${what}: test/adapters/mqtt-outcome.test.ts has the codes` });
const tooLarge = inMessage(
  'a packet above the Maximum Packet Size',
  () => ({ data: note(MAX_PACKET_SIZE) }),
  'adapter',
);
const notAllowed = inMessage('a topic that the access list keeps from this user', () => ({
  destination: `refused/${randomUUID()}`,
}));

function plain({ broker, url, login, wrong }: Doors): Harness {
  return {
    name: 'mqtt',
    type: mqtt,
    capabilities: mqtt.capabilities,
    broker: { url },
    routes: { structured: { route: {} }, binary: { route: { mode: 'binary' } } },
    wrongPassword: { broker: { url: login.url, username: 'fanout', password: wrong }, secret: WRONG },
    address: new URL(url).host,
    process: powerOver(broker.program),
    faults: {
      throttled: never('sends no quota exceeded'),
      unavailable: never('sends no unspecified error'),
      timeout: { absent: 'a broker answers, or the connection is lost, of which there are cases' },
      'no-such-destination': { absent: 'no topic has to be made first' },
      'not-authorized': { absent: 'nobody is without a login; the variant with one has it' },
      'destination-full': { absent: 'nothing fills up' },
      'too-large': tooLarge,
      'invalid-destination': { absent: 'it closes the connection over what the names refuse' },
      'invalid-message': never('does not look into a payload'),
    },
    createDestination: async () => `contract/${randomUUID()}`,
    missingDestination: () => `contract/missing/${randomUUID()}`,
    read: (topic) => mosquittoSub({ url, topic, protocolVersion: 5 }),
    decode,
    async [Symbol.asyncDispose]() {},
  };
}

function mqtt311(doors: Doors): Harness {
  const harness = plain(doors);
  const { url, login, wrong } = doors;
  const refused = { url: login.url, protocolVersion: 4, username: 'fanout', password: wrong };
  return {
    ...harness,
    name: 'mqtt, 3.1.1',
    broker: { url, protocolVersion: 4 },
    routes: { structured: { route: {} }, binary: { absent: 'MQTT 3.1.1 has no properties' } },
    wrongPassword: { broker: refused, secret: WRONG },
    faults: { ...harness.faults, 'too-large': { absent: 'MQTT 3.1.1 cannot say a size' } },
    read: (topic) => mosquittoSub({ url, topic, protocolVersion: 4 }),
  };
}

function withLogin(doors: Doors): Harness {
  const harness = plain(doors);
  const { url, password } = doors.login;
  return {
    ...harness,
    name: 'mqtt, with a login',
    broker: { url, username: 'limited', password: doors.right },
    address: new URL(url).host,
    faults: { ...harness.faults, 'not-authorized': notAllowed },
    createDestination: async () => `allowed/${randomUUID()}`,
    missingDestination: () => `allowed/missing/${randomUUID()}`,
    read: (topic) => mosquittoSub({ url, topic, protocolVersion: 5, login: { user: 'fanout', password } }),
  };
}

function overTls(doors: Doors): Harness {
  const { url, ca } = doors.tls;
  return { ...plain(doors), name: 'mqtt, over TLS', broker: { url, tls: { ca } }, address: new URL(url).host };
}

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
  if (Array.isArray(event)) throw new Error('more than one event');
  const { data, ...attributes } = event;
  // In binary mode the content type is the attribute, which the SDK leaves where it was.
  return { attributes: { ...attributes, ...(!structured && { datacontenttype: contentType }) }, data };
}

if (await canStart('mosquitto')) {
  const doors = await startBroker();
  afterAll(() => doors.broker[Symbol.asyncDispose]());
  for (const harness of [plain, mqtt311, withLogin, overTls]) adapterContract(harness(doors));
}
