import { randomUUID } from 'node:crypto';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudEvent, Kafka as KafkaBinding } from 'cloudevents';
import { Kafka, logLevel } from 'kafkajs';
import { kafka } from '../../adapters/kafka.ts';
import type { Message } from '../../src/adapter.ts';
import { startKafka } from '../backends/kafka.ts';
import { command } from '../backends/machine.ts';
import type { DecodedEvent, Fault, Harness, Received } from './harness.ts';
import { KafkaTopics } from './kafka-topics.ts';
import { canStart, powerOver } from './own-broker.ts';
import { adapterContract } from './suite.ts';

async function kafkaHarness(): Promise<Harness> {
  await using scope = new AsyncDisposableStack();
  const { address, program } = scope.use(
    // Willing to make any topic that is asked for, so that it shows if the adapter asks in a way that makes one.
    await startKafka({ properties: { 'auto.create.topics.enable': 'true' } }),
  );
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-contract-'))).path;
  const login = address.sasl;
  if (login === undefined) throw new Error('This Kafka has no login.');
  const admin = new Kafka({ brokers: [address.bootstrap], logLevel: logLevel.NOTHING }).admin();
  scope.defer(() => admin.disconnect());
  await admin.connect();

  const broker = async (file: string, password: string) => {
    await writeFile(join(directory, file), password);
    const scramSha512 = { username: login.username, password: { file: join(directory, file) } };
    return { bootstrap: [login.bootstrap], sasl: { scramSha512 } };
  };
  const topics = new KafkaTopics(admin, login.username);
  const secret = 'not-the-password';
  const harness: Omit<Harness, typeof Symbol.asyncDispose> = {
    name: 'kafka',
    type: kafka,
    capabilities: kafka.capabilities,
    broker: await broker('password', login.password),
    routes: { binary: { route: {} }, structured: { route: { mode: 'structured' } } },
    wrongPassword: { broker: await broker('wrong', secret), secret },
    address: login.bootstrap,
    process: powerOver(program, () => topics.haveLeaders()),
    faults: {
      'no-such-destination': fault('a topic that is not there', async () => `missing-${randomUUID()}`),
      'not-authorized': [
        fault('a topic that the user may see but not write to', () =>
          topics.createFor({ WRITE: false, DESCRIBE: true }),
        ),
        fault('a topic that the user may not even see', () => topics.createFor({ DESCRIBE: false })),
      ],
      unavailable: slowClock(topics),
      'too-large': [
        { ...fault('a record over the limit of its topic', () => topics.create(), 1_100_000), judge: 'adapter' },
        {
          ...fault(
            'a record over a limit that the user may not read',
            () => topics.createFor({ DESCRIBE_CONFIGS: false, WRITE: true }, { 'max.message.bytes': '2000' }),
            5_000,
          ),
          judge: 'broker',
        },
      ],
      'invalid-destination': {
        ...fault('a name that Kafka does not take', async () => 'no topic, is it?'),
        judge: 'broker',
      },
      'invalid-message': { absent: 'our records always have a key: test/adapters/kafka-outcome.test.ts has the codes' },
      throttled: { absent: 'a quota delays the answers of Kafka, and kafkajs waits as long as it is told to' },
      timeout: { absent: 'only a replica of a real cluster that dies in mid-write makes Kafka say so' },
      'destination-full': { absent: 'Kafka deletes its oldest records' },
    },
    createDestination: () => topics.create(),
    missingDestination: () => `missing-${randomUUID()}`,
    read: async (topic) => ({
      received: (count) => kcat(address.bootstrap, topic, count),
      [Symbol.asyncDispose]: async () => {},
    }),
    decode,
  };
  const owned = scope.move();
  return { ...harness, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function fault(on: string, topic: () => Promise<string>, bytes = 10): Fault {
  return {
    on,
    arrange: async () => {
      const destination = await topic();
      const data = new TextEncoder().encode(JSON.stringify('x'.repeat(bytes)));
      const spoil = (message: Message) => ({ ...message, destination, data });
      return { spoil, [Symbol.asyncDispose]: async () => {} };
    },
  };
}
function slowClock(topics: KafkaTopics): Fault {
  const plain = fault('a record whose time is an hour before that of the broker', () =>
    topics.create({ 'message.timestamp.before.max.ms': '60000' }),
  );
  return {
    on: plain.on,
    arrange: async () => {
      const scene = await plain.arrange();
      const { now } = Date;
      Date.now = () => now() - 3_600_000;
      return {
        spoil: scene.spoil,
        [Symbol.asyncDispose]: async () => {
          Date.now = now;
        },
      };
    },
  };
}

/** Reads all that is in the topic, again and again until it is enough. */
async function kcat(bootstrap: string, topic: string, count: number): Promise<readonly Received[]> {
  const deadline = Date.now() + 15_000;
  const args = ['-b', bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-J'];
  for (;;) {
    const found = (await command('kcat', args)).split('\n').filter((line) => line !== '');
    if (found.length >= count) return found.map(parse);
    if (Date.now() > deadline) throw new Error(`${found.length} of ${count} messages in ${topic}`);
  }
}

function parse(line: string): Received {
  const { topic, partition, offset, key, headers, payload } = JSON.parse(line) as {
    topic: string;
    partition: number;
    offset: number;
    key: string;
    headers: readonly string[];
    payload: string;
  };
  const pairs = headers.flatMap((name, i) => (i % 2 ? [] : [[name, headers[i + 1] ?? '']]));
  return {
    key,
    headers: Object.fromEntries(pairs),
    body: new TextEncoder().encode(payload),
    place: { topic, partition, offset: String(offset) },
  };
}

function decode({ key, headers, body }: Received): DecodedEvent {
  const value = new TextDecoder().decode(body);
  const message = { key, value, headers: { ...headers }, body: value };
  const event = KafkaBinding.toEvent(message);
  if (!(event instanceof CloudEvent)) throw new Error('not one CloudEvent');
  event.validate();
  const { data, ...attributes } = event.toJSON();
  return { attributes, data };
}

if (await canStart('kafka')) adapterContract(await kafkaHarness());
