import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafka } from '../../adapters/kafka.ts';
import { type Adapter, ConnectionLost } from '../../src/adapter.ts';
import { backend } from '../backends/backend.ts';
import { command } from '../backends/machine.ts';
import { freePort } from '../backends/process.ts';
import { KafkaTopics } from '../contract/kafka-topics.ts';
import { keys, message } from '../contract/message.ts';

const address = backend('kafka');
const never = new AbortController().signal;
const run = promisify(execFile);

describe.skipIf(address === null)('the Kafka adapter', () => {
  if (address === null) return;
  const scope = new AsyncDisposableStack();
  let admin: Admin;
  let directory: string;
  beforeAll(async () => {
    directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-kafka-'))).path;
    admin = new Kafka({ brokers: [address.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    scope.defer(() => admin.disconnect());
  });
  afterAll(() => scope.disposeAsync());

  const topic = (partitions = 3) => new KafkaTopics(admin).create({}, partitions);

  async function file(text: string): Promise<string> {
    const path = join(directory, randomUUID());
    await writeFile(path, text);
    return path;
  }

  async function adapter(broker: unknown): Promise<Adapter> {
    const options = kafka.brokerOptions.parse(broker);
    const created = await kafka.create(
      options,
      { mode: 'binary' },
      { clientId: 'test', log: pino({ level: 'silent' }) },
    );
    scope.defer(() => created.close());
    return created;
  }

  async function connected(broker: unknown = { bootstrap: [address?.bootstrap] }): Promise<Adapter> {
    const created = await adapter(broker);
    await created.connect(never);
    return created;
  }

  test('puts a key into the partition where other clients put it', async () => {
    const ours = await topic(7);
    const theirs = await topic(7);
    const messages = keys(40).map((key) => message({ destination: ours, key }));
    await (await connected()).publish(messages, never);
    const lines = await file(messages.map(({ key }) => `${key}\t1\n`).join(''));
    const librdkafka = ['-X', 'partitioner=murmur2', '-K', '\t', '-l', lines];
    await command('kcat', ['-b', address.bootstrap, '-P', '-t', theirs, ...librdkafka]);
    const partitions = async (name: string) => {
      const found = await command('kcat', ['-b', address.bootstrap, '-C', '-t', name, '-e', '-q', '-f', '%p %k\n']);
      expect(found.split('\n')).toHaveLength(41);
      return found.split('\n').sort();
    };
    expect(await partitions(ours)).toEqual(await partitions(theirs));
  });

  test('a topic that is deleted takes no other one along', async () => {
    const [gone, kept, fresh] = [await topic(), await topic(), await topic()];
    const before = await connected();
    await before.publish([message({ destination: gone }), message({ destination: kept, key: 'other' })], never);
    await admin.deleteTopics({ topics: [gone] });
    // From now on kafkajs asks for all three topics at once, and gets no answer about any of them.
    await expect(before.publish([message({ destination: fresh })], never)).rejects.toBeInstanceOf(ConnectionLost);
    const after = await connected();
    const batch = [gone, kept, fresh].map((destination) => message({ destination, key: destination }));
    expect((await after.publish(batch, never)).map(({ kind }) => kind)).toEqual(['held', 'delivered', 'delivered']);
    expect((await after.publish(batch, never)).map(({ kind }) => kind)).toEqual(['held', 'delivered', 'delivered']);
  });

  test('connects if any of its addresses answers', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    await connected({ bootstrap: [dead, address.bootstrap] });
    await expect(connected({ bootstrap: [dead] })).rejects.toThrow(
      `Cannot reach Kafka at ${dead}: nothing listens there`,
    );
  });

  test('what is more than the topic takes at once is cut into several batches, in its order', async () => {
    const destination = await topic(1);
    const note = 'x'.repeat(60_000);
    const messages = keys(50).map((key) => message({ destination, key, data: { note } }));
    const outcomes = await (await connected()).publish(messages, never);
    const offsets = outcomes.map((outcome) =>
      outcome.kind === 'delivered' ? Number(outcome.receipt.offset) : outcome,
    );
    expect(offsets).toEqual(messages.map((_, index) => index));
  });

  test('an idle connection costs no processor time, and nothing is warned of', async () => {
    const script = `
      import pino from 'pino';
      import { kafka } from '${join(import.meta.dirname, '../../adapters/kafka.ts')}';
      const options = kafka.brokerOptions.parse({ bootstrap: ['${address.bootstrap}'] });
      const adapter = await kafka.create(options, { mode: 'binary' }, { clientId: 'idle', log: pino({ level: 'silent' }) });
      await adapter.connect(new AbortController().signal);
      let timers = 0;
      const { setTimeout: original } = globalThis;
      globalThis.setTimeout = (...args) => { timers++; return original(...args); };
      await new Promise((resolve) => original(resolve, 300));
      await adapter.close();
      process.stdout.write(String(timers));`;
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], {
      cwd: join(import.meta.dirname, '../..'),
    });
    expect(stderr).toBe('');
    expect(Number(stdout)).toBeLessThan(20);
  });

  describe.skipIf(address.tls === undefined)('with a login over TLS', () => {
    const { tls, sasl } = address;
    if (tls === undefined || sasl === undefined) return;
    const login = async (password = tls.password) => ({
      username: tls.username,
      password: { file: await file(password) },
    });

    test('delivers, by PLAIN and by SCRAM, with the certificate authority of a file', async () => {
      const destination = await topic();
      const ca = await file(tls.ca);
      for (const mechanism of ['plain', 'scramSha512']) {
        const sasl = { [mechanism]: await login() };
        const secured = await connected({ bootstrap: [tls.bootstrap], tls: { ca }, sasl });
        const [outcome] = await secured.publish([message({ destination })], never);
        expect(outcome).toMatchObject({ kind: 'delivered' });
      }
    });

    test('says what to do when the broker is vouched for by nobody', async () => {
      const sasl = { plain: await login() };
      const refused = connected({ bootstrap: [tls.bootstrap], tls: true, sasl });
      await expect(refused).rejects.toThrow(/its certificate is .*`tls\.ca`/);
    });

    test('says what to do when the port wants TLS, a login, or another mechanism', async () => {
      await expect(connected({ bootstrap: [tls.bootstrap] })).rejects.toThrow(/Does that port want TLS or a login\?/);
      const over = { bootstrap: [sasl.bootstrap] };
      await expect(connected({ ...over, sasl: { scramSha256: await login() } })).rejects.toThrow(
        /does not offer SCRAM-SHA-256/,
      );
    });

    test('shows no password, by PLAIN either', async () => {
      const refused = connected({ bootstrap: [sasl.bootstrap], sasl: { plain: await login('hunter2') } });
      await expect(refused).rejects.toThrow(/refused the login of user fanout by PLAIN\. Check username, password/);
      await expect(refused).rejects.not.toThrow(/hunter2/);
    });
  });
});
