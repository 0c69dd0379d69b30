import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CloudEvent } from 'cloudevents';
import { afterAll } from 'vitest';
import { nats, natsCore } from '../../adapters/nats.ts';
import type { Message } from '../../src/adapter.ts';
import { type NatsBackend, startNats } from '../backends/nats.ts';
import type { DecodedEvent, Fault, Harness, Received } from './harness.ts';
import { createStream, listen, readStream, sealStream } from './nats-streams.ts';
import { canStart, powerOver } from './own-broker.ts';
import { adapterContract } from './suite.ts';

const WRONG = 'wrong-password';

/** A server in the clear, and one that demands TLS and a login. */
async function startServers() {
  const [plain, secured] = [await startNats(), await startNats({ tls: true, loginRequired: true })];
  const keep = async (name: string, content: string | undefined) => {
    const file = join(dirname(plain.program.log), name);
    await writeFile(file, content ?? '');
    return { file };
  };
  const right = await keep('right', plain.address.login?.password);
  const wrong = await keep('wrong', WRONG);
  const { file: ca } = await keep('authority.pem', secured.address.ca);
  return { plain, secured, right, wrong, ca };
}
type Servers = Awaited<ReturnType<typeof startServers>>;

/** A fault that is in the message alone. */
function inMessage(on: string, change: () => Promise<Partial<Message>>, judge?: Fault['judge']): Fault {
  return {
    on,
    ...(judge && { judge }),
    async arrange() {
      const changed = await change();
      return { spoil: (message) => ({ ...message, ...changed }), async [Symbol.asyncDispose]() {} };
    },
  };
}

const note = (bytes: number) => Buffer.from(JSON.stringify({ note: 'x'.repeat(bytes) }));
const never = (what: string) => ({ absent: `NATS ${what}` });
const missing = () => `allowed.missing.${randomUUID()}`;
const MAX_PAYLOAD = 1024 * 1024;

const overMaxPayload = [
  inMessage('a message above max_payload by far', async () => ({ data: note(3 * MAX_PAYLOAD) }), 'adapter'),
  inMessage('one above max_payload only with its headers', async () => ({ data: note(MAX_PAYLOAD - 200) }), 'adapter'),
];
const notAllowed = inMessage('a subject that the permissions of the user leave out', async () => ({
  destination: `refused.${randomUUID()}`,
}));

function jetStream({ plain: { address, program }, wrong }: Servers): Harness {
  const stream = async (config: object) => ({ destination: await createStream(address, config) });
  return {
    name: 'nats',
    type: nats,
    capabilities: nats.capabilities,
    broker: { servers: [address.url] },
    routes: { binary: { route: {} }, structured: { route: { mode: 'structured' } } },
    wrongPassword: { broker: { servers: [address.url], username: 'fanout', password: wrong }, secret: WRONG },
    address: new URL(address.url).host,
    process: powerOver(program),
    faults: {
      throttled: never('2.9 does not throttle'),
      unavailable: never('alone has no leader to lose: test/adapters/nats.real.test.ts takes JetStream away'),
      timeout: never('answers, or is frozen, of which there are cases'),
      'no-such-destination': inMessage('a subject that no stream takes', async () => ({ destination: missing() })),
      'not-authorized': never('is asked without a login here; the variant with one is'),
      'destination-full': [
        inMessage('a stream that is full', () => stream({ max_bytes: 10, discard: 'new' })),
        inMessage('a sealed stream', async () => ({ destination: await sealStream(address) })),
      ],
      'too-large': [
        ...overMaxPayload,
        inMessage(
          'a message above the max_msg_size of its stream',
          async () => ({ ...(await stream({ max_msg_size: 2_000 })), data: note(3_000) }),
          'broker',
        ),
      ],
      'invalid-destination': never('closes the connection over what the names refuse'),
      'invalid-message': never('does not look into a payload'),
    },
    createDestination: () => createStream(address),
    missingDestination: missing,
    read: async (subject) => readStream(address, subject),
    decode,
    async [Symbol.asyncDispose]() {},
  };
}

function withLogin(servers: Servers): Harness {
  const harness = jetStream(servers);
  return {
    ...harness,
    name: 'nats, with a login',
    broker: { servers: [servers.plain.address.url], username: 'limited', password: servers.right },
    faults: { ...harness.faults, 'not-authorized': notAllowed },
  };
}

function overTls(servers: Servers): Harness {
  const { right, wrong, ca } = servers;
  const { address, program }: NatsBackend = servers.secured;
  const harness = jetStream({ ...servers, plain: servers.secured });
  const broker = { servers: [address.url], username: 'fanout', password: right, tls: { ca } };
  return {
    ...harness,
    name: 'nats, over TLS',
    broker,
    wrongPassword: { broker: { ...broker, password: wrong }, secret: WRONG },
    process: powerOver(program),
  };
}

function core(servers: Servers): Harness {
  const harness = withLogin(servers);
  return {
    ...harness,
    name: 'nats-core',
    type: natsCore,
    capabilities: natsCore.capabilities,
    routes: { structured: { route: {} }, binary: { route: { mode: 'binary' } } },
    faults: {
      ...harness.faults,
      'no-such-destination': never('takes any subject'),
      'destination-full': never('stores nothing'),
      'too-large': overMaxPayload,
    },
    createDestination: async () => `allowed.${randomUUID()}`,
    read: (subject) => listen(servers.plain.address, subject),
  };
}

/** By the rules of the binding, and the CloudEvents SDK as the judge of what a CloudEvent is. */
function decode({ headers, body }: Received): DecodedEvent {
  const value = JSON.parse(Buffer.from(body).toString());
  const structured = headers['content-type']?.startsWith('application/cloudevents') === true;
  const names = Object.entries(headers).filter(([name]) => name.startsWith('ce-'));
  const attributes = Object.fromEntries(names.map(([name, text]) => [name.slice(3), decodeURIComponent(text)]));
  const { data, ...rest } = new CloudEvent(structured ? value : { ...attributes, data: value }).toJSON();
  return { attributes: rest, data };
}

if (await canStart('nats')) {
  const servers = await startServers();
  afterAll(() => servers.plain[Symbol.asyncDispose]());
  afterAll(() => servers.secured[Symbol.asyncDispose]());
  for (const harness of [jetStream, withLogin, overTls, core]) adapterContract(harness(servers));
}
