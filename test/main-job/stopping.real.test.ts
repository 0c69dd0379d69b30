import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backend } from '../backends/backend.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter } from '../backends/load.ts';
import { type NatsBackend, startNats } from '../backends/nats.ts';
import { freePort, type Program } from '../backends/process.ts';
import { says, startDaemonProcess, until, watching } from './daemon-process.ts';
import { everythingTo, type NatsSubscriber, natsSubscriber } from './subscribers.ts';

const kube = backend('kube');
const nats = backend('nats');

const EVENTS = 200;

/** A daemon that watches a namespace of its own, and publishes to a NATS of its own. */
interface Running extends AsyncDisposable {
  readonly daemon: Program;
  readonly nats: NatsBackend;
  readonly subscriber: NatsSubscriber;
  readonly directory: string;
  /** Gives the ids of what it has written. */
  write(count: number): Promise<readonly string[]>;
  /** A second daemon on the same journal. */
  another(): Promise<Program>;
}

describe.skipIf(!kube || !nats)('stopping the daemon', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`by ${signal} ends it with 0 in the middle of its work, and the next start loses nothing`, async () => {
      await using running = await start();
      const { daemon, subscriber } = running;
      const writing = running.write(EVENTS);
      await until('it is at work', async () => (await subscriber.count()) > 0);
      await daemon.kill(signal);
      expect(daemon.exitCode).toBe(0);
      await says(daemon, new RegExp(`${signal}: finishing what is under way, within 10 s; once more leaves at once`));
      await says(daemon, /stopped; what is not delivered yet waits in the journal/);
      const ids = await writing;
      await daemon.start();
      await arrive(subscriber, ids);
      expect(repeatsIn(await subscriber.seen())).toBe(0);
    });
  }

  test('while its broker hangs takes no longer than the grace, and the next start loses nothing', async () => {
    await using running = await start();
    const ids = await hang(running);
    await running.daemon.kill('SIGTERM');
    expect(running.daemon.exitCode).toBe(0);
    running.nats.program.resume();
    await running.daemon.start();
    await arrive(running.subscriber, ids);
  });

  test('twice leaves at once with 130, and the next start loses nothing', async () => {
    await using running = await start();
    const { daemon } = running;
    const ids = await hang(running);
    if (daemon.pid !== undefined) process.kill(daemon.pid, 'SIGTERM');
    await says(daemon, /SIGTERM: finishing what is under way/);
    await daemon.kill('SIGINT');
    expect(daemon.exitCode).toBe(130);
    running.nats.program.resume();
    await daemon.start();
    await arrive(running.subscriber, ids);
  });

  test('lets another one have the journal, which has said whom it waits for', async () => {
    await using running = await start();
    const { daemon, subscriber } = running;
    const pid = daemon.pid;
    await using second = await running.another();
    await says(
      second,
      new RegExp(`the journal .*journal.db is locked by pid ${pid} on .* since .*: waiting until it lets go`),
    );
    await daemon.stop();
    const ids = await running.write(10);
    await arrive(subscriber, ids);
  });

  test('while it waits for the journal ends it with 0', async () => {
    await using running = await start();
    await using second = await running.another();
    await says(second, /is locked by pid/);
    await second.kill('SIGTERM');
    const log = await readFile(second.log, 'utf8');
    expect({ code: second.exitCode, log }).toEqual({ code: 0, log: expect.not.stringContaining('abort') });
  });
});

async function start(): Promise<Running> {
  if (kube === null) throw new Error('skipped without an API server');
  await using scope = new AsyncDisposableStack();
  const own = scope.use(await startNats());
  const subscriber = scope.use(await natsSubscriber(own.address));
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-stopping-'))).path;
  const client = scope.use(new KubeClient(kube));
  const namespace = await client.createNamespace('stopping');
  const port = await freePort();
  const spec = { directory, kube, source: { namespaces: [namespace] }, ...everythingTo(subscriber) };
  const daemon = scope.use(await startDaemonProcess({ ...spec, more: { metrics: { host: '127.0.0.1', port } } }));
  await watching(port);
  const owned = scope.move();
  return {
    daemon,
    nats: own,
    subscriber,
    directory,
    async write(count) {
      await using writer = new EventWriter(kube);
      await writer.each(ordinaryEvents(namespace, count), (event) => writer.create(event));
      return [...writer.written.values()].map(({ uid, resourceVersions }) => `${uid}.${resourceVersions[0]}`);
    },
    another: () => startDaemonProcess({ ...spec, name: 'second' }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The broker stops answering while the daemon has something under way. */
async function hang({ nats, subscriber, write }: Running): Promise<readonly string[]> {
  const before = await write(EVENTS);
  await until('it is at work', async () => (await subscriber.count()) > 0);
  nats.program.pause();
  return [...before, ...(await write(EVENTS))];
}

async function arrive(subscriber: NatsSubscriber, ids: readonly string[]): Promise<void> {
  await until(`all ${ids.length} arrive`, async () => {
    if ((await subscriber.count()) < ids.length) return false;
    const seen = new Set((await subscriber.seen()).map(({ id }) => id));
    return ids.every((id) => seen.has(id));
  });
}

function repeatsIn(seen: readonly { readonly id: string }[]): number {
  return seen.length - new Set(seen.map(({ id }) => id)).size;
}
