/** What NATS does that the contract does not ask about. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { connect as dial } from 'node:net';
import { dirname, join } from 'node:path';
import pino from 'pino';
import { afterAll, describe, expect, test } from 'vitest';
import { nats, natsCore } from '../../adapters/nats.ts';
import type { Adapter, AdapterType, Message, Outcome } from '../../src/adapter.ts';
import { locate } from '../backends/machine.ts';
import { type NatsBackend, startNats } from '../backends/nats.ts';
import { freePort, Program } from '../backends/process.ts';
import { never } from '../contract/case.ts';
import { message } from '../contract/message.ts';
import { createStream, readStream } from '../contract/nats-streams.ts';
import { NatsWire } from '../contract/nats-wire.ts';
import { canStart } from '../contract/own-broker.ts';

const log = pino({ level: 'silent' });

async function open(broker: object, type: AdapterType = nats, route: object = {}): Promise<Adapter & AsyncDisposable> {
  const options = [type.brokerOptions.parse(broker), type.routeOptions.parse(route)] as const;
  const adapter = await type.create(...options, { clientId: 'case', log });
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

async function problemOf(broker: object): Promise<string> {
  return open(broker).then(
    () => 'connected',
    (error: Error) => error.message,
  );
}

/** A nats-server with a configuration of its own. */
async function serve(folder: string, ...lines: readonly string[]): Promise<AsyncDisposable & { readonly url: string }> {
  const port = await freePort();
  const file = join(folder, `${randomUUID()}.conf`);
  await writeFile(file, [`listen: 127.0.0.1:${port}`, ...lines].join('\n'));
  const program = await Program.start({
    name: 'nats-server',
    command: (await locate('nats-server')) ?? 'nats-server',
    args: ['-c', file],
    log: `${file}.log`,
    ready: () =>
      new Promise<void>((resolve, reject) => {
        const socket = dial(port, '127.0.0.1', () => resolve(void socket.destroy())).on('error', reject);
      }),
  });
  return { url: `nats://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

function cases({ address, program }: NatsBackend): void {
  const broker = { servers: [address.url] };
  const folder = dirname(program.log);

  test('two routes put the same event into one stream, and both are stored', async () => {
    await using adapter = await open(broker);
    const destination = await createStream(address);
    const one = message({ destination });
    const { id } = one.attributes;
    const outcomes = [
      await publish(adapter, { ...one, deduplicationId: `${id}/warnings` }),
      await publish(adapter, { ...one, deduplicationId: `${id}/everything` }),
      await publish(adapter, { ...one, deduplicationId: `${id}/everything/1` }),
    ];
    expect(outcomes).toMatchObject([1, 2, 3].map((seq) => ({ kind: 'delivered', receipt: { seq, duplicate: false } })));
  });

  test('a message that is sent again is acknowledged as a duplicate, and stored once', async () => {
    await using adapter = await open(broker);
    const destination = await createStream(address);
    const one = message({ destination });
    expect(await publish(adapter, one)).toMatchObject({ receipt: { seq: 1, duplicate: false } });
    expect(await publish(adapter, one)).toMatchObject({ kind: 'delivered', receipt: { seq: 1, duplicate: true } });
    expect(await readStream(address, destination).received(1)).toHaveLength(1);
  });

  test('a missing stream holds its subject, says what to do, and heals when there is one', async () => {
    await using adapter = await open(broker);
    const name = `LATE${Date.now()}`;
    const one = message({ destination: `late.${name}` });
    const outcome = await publish(adapter, one);
    expect(outcome).toMatchObject({ kind: 'held', reason: 'no-such-destination' });
    expect(outcome).toHaveProperty('detail', expect.stringContaining(`No stream takes subject late.${name}: add one`));
    await using wire = await NatsWire.connect(address);
    await wire.jetStream(`STREAM.CREATE.${name}`, {
      name,
      subjects: ['late.*'],
      storage: 'memory',
      retention: 'limits',
    });
    expect(await publish(adapter, one)).toMatchObject({ kind: 'delivered', receipt: { stream: name, seq: 1 } });
  });

  test.for(['{"stream":"","seq":1}', '{"ok":true}', '{}', 'thanks', ''])(
    'an answer that is no PubAck (%j) is not taken for one',
    async (answer) => {
      await using adapter = await open(broker);
      await using wire = await NatsWire.connect(address);
      const destination = `service.${randomUUID()}`;
      await wire.subscribe(destination, ({ reply = '' }) => wire.publish(reply, answer));
      const outcome = await publish(adapter, message({ destination }));
      expect(outcome).toMatchObject({ kind: 'held', reason: 'no-such-destination' });
      expect(outcome).toHaveProperty('detail', expect.stringContaining(destination));
    },
  );

  test('an answer with an error is none, whatever else it says', async () => {
    await using adapter = await open(broker);
    await using wire = await NatsWire.connect(address);
    const answers = [
      '{"error":{"code":503,"err_code":10077,"description":"full"},"stream":"S","seq":7}',
      '{"error":{}}',
    ];
    const outcomes: (Outcome | undefined)[] = [];
    for (const answer of answers) {
      const destination = `service.${randomUUID()}`;
      await wire.subscribe(destination, ({ reply = '' }) => wire.publish(reply, answer));
      outcomes.push(await publish(adapter, message({ destination })));
    }
    expect(outcomes).toMatchObject([
      { kind: 'held', reason: 'destination-full' },
      { kind: 'retry', reason: 'unavailable' },
    ]);
  });

  test('a whole batch for a missing stream asks JetStream once', async () => {
    await using adapter = await open(broker);
    await using wire = await NatsWire.connect(address);
    const asked = async () => (await wire.jetStream<{ api: { total: number } }>('INFO', {})).api.total;
    const before = await asked();
    const batch = Array.from({ length: 50 }, (_, i) => message({ destination: 'nowhere', key: `Pod/${i}` }));
    const outcomes = await adapter.publish(batch, never());
    expect(outcomes.every(({ kind }) => kind === 'held')).toBe(true);
    // Our own questions count, too.
    expect((await asked()) - before).toBe(2);
  });

  test('JetStream that is not there at all, or not yet, is no verdict on a subject', async () => {
    await using server = await serve(folder);
    await using adapter = await open({ servers: [server.url] });
    const outcome = await publish(adapter, message({ destination: 'k8s.web' }));
    expect(outcome).toMatchObject({ kind: 'retry', reason: 'unavailable' });
    const [finding] = await adapter.check(['k8s.web'], never());
    expect(finding?.problem).toContain('JetStream does not answer');
  });

  test('an account without JetStream is held until an operator gives it some', async () => {
    const store = `jetstream { store_dir: "${join(folder, 'bare')}" }`;
    const accounts = 'accounts { BARE { users: [{ user: bare, password: bare }] }, JS { jetstream: enabled } }';
    await using server = await serve(folder, store, accounts, 'no_auth_user: bare');
    await using adapter = await open({ servers: [server.url] });
    const outcome = await publish(adapter, message({ destination: 'k8s.web' }));
    expect(outcome).toMatchObject({ kind: 'held', reason: 'not-authorized' });
    expect(outcome).toHaveProperty('detail', expect.stringContaining('not enabled for account'));
  });

  test('a login that may not ask about streams still learns that nobody answers', async () => {
    const store = `jetstream { store_dir: "${join(folder, 'mute')}" }`;
    const user = '{ user: mute, password: mute, permissions: { publish: ["k8s.>"] } }';
    const accounts = `accounts { MUTE { jetstream: enabled, users: [${user}] } }`;
    await using server = await serve(folder, store, accounts, 'no_auth_user: mute');
    await using adapter = await open({ servers: [server.url] });
    const outcome = await publish(adapter, message({ destination: 'k8s.web' }));
    expect(outcome).toMatchObject({ kind: 'held', reason: 'no-such-destination' });
    expect(await adapter.check(['k8s.web'], never())).toEqual([{ destination: 'k8s.web', problem: undefined }]);
  });

  test('a login that may not hear the answers is told so when it connects, before anything is stored', async () => {
    const store = `jetstream { store_dir: "${join(folder, 'deaf')}" }`;
    const user = '{ user: deaf, password: deaf, permissions: { publish: ">", subscribe: { deny: ">" } } }';
    const accounts = `accounts { DEAF { jetstream: enabled, users: [${user}] } }`;
    await using server = await serve(folder, store, accounts, 'no_auth_user: deaf');
    expect(await problemOf({ servers: [server.url] })).toContain('allow it in its permissions');
  });

  test('max_payload is known to the byte, headers and all', async () => {
    await using server = await serve(folder, 'max_payload: 4000');
    await using adapter = await open({ servers: [server.url] }, natsCore, { mode: 'binary' });
    const sized = (bytes: number) => message({ destination: 'x', data: 'x'.repeat(bytes) });
    let [fits, tooLarge] = [1_000, 4_000];
    while (tooLarge - fits > 1) {
      const bytes = Math.floor((fits + tooLarge) / 2);
      if ((await publish(adapter, sized(bytes)))?.kind === 'delivered') fits = bytes;
      else tooLarge = bytes;
    }
    const outcome = await publish(adapter, sized(tooLarge));
    expect(outcome).toMatchObject({ kind: 'reject', reason: 'too-large', judge: 'adapter' });
    expect(outcome).toHaveProperty('detail', expect.stringContaining('has 4001 bytes with its headers'));
  });

  test('the longest subject that is not refused does not break the connection', async () => {
    await using core = await open(broker, natsCore);
    const destination = 'a'.repeat(4_000);
    expect(natsCore.destination.refuse(destination)).toBeUndefined();
    expect((await publish(core, message({ destination })))?.kind).toBe('delivered');
    await using adapter = await open(broker);
    expect((await publish(adapter, message({ destination })))?.kind).toBe('held');
    expect((await publish(adapter, message({ destination })))?.kind).toBe('held');
  });

  test('no hostile name, reason or key breaks the connection', async () => {
    await using adapter = await open(broker, natsCore, { mode: 'binary' });
    const hostile = [
      '\u0000',
      '\u0001',
      'a\r\nPUB x 1\r\n',
      '\u0085',
      '\ufffe',
      '\ud800',
      '*',
      '>',
      '$SYS',
      '.',
      '',
      'ü🙈',
    ];
    for (const reason of hostile) {
      const destination = `k8s.${nats.destination.escape(reason)}.x`;
      const one = message({ destination, key: `Pod/${reason}`, attributes: { reason, name: reason } });
      expect((await publish(adapter, one))?.kind).toBe('delivered');
    }
  });

  test('a token is a login, and a wrong one is not shown', async () => {
    const keep = async (content: string) => {
      const file = join(folder, randomUUID());
      await writeFile(file, content);
      return { file };
    };
    await using server = await serve(folder, 'authorization { token: "right-token" }');
    const servers = [server.url];
    await using adapter = await open({ servers, token: await keep('right-token') }, natsCore);
    expect((await publish(adapter, message({ destination: 'x' })))?.kind).toBe('delivered');
    expect(await problemOf({ servers, token: await keep('wrong-token') })).toBe(
      `NATS at ${server.url} refused the token: check username and password, token or creds.`,
    );
    const creds = await problemOf({ servers, creds: await keep('-----BEGIN NATS USER JWT-----\nnot-for-the-log\n') });
    expect(creds).toContain(server.url);
    expect(creds).not.toContain('not-for-the-log');
  });

  test('what cannot work says why', async () => {
    const port = await freePort();
    expect(await problemOf({ servers: [`nats://127.0.0.1:${port}`] })).toBe(
      `Cannot reach NATS at nats://127.0.0.1:${port}: nothing listens there.`,
    );
    expect(await problemOf({ ...broker, tls: {} })).toMatch(/does not support 'tls'/);
    await using secured = await startNats({ tls: true });
    const { url } = secured.address;
    expect(await problemOf({ servers: [url] })).toMatch(/certificate is signed by an unknown authority.*`tls\.ca`/);
  });

  test('the first server that answers is taken', async () => {
    const port = await freePort();
    await using adapter = await open({ servers: [`127.0.0.1:${port}`, address.url] }, natsCore);
    expect((await publish(adapter, message({ destination: 'x' })))?.kind).toBe('delivered');
  });
}

if (await canStart('nats')) {
  const server = await startNats();
  afterAll(() => server[Symbol.asyncDispose]());
  describe('nats on nats-server', () => cases(server));
}
