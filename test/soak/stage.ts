/** The whole of a soak: a simulated API server under load, the daemon as its image runs it, two brokers and their readers. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { startMosquitto } from '../backends/mosquitto.ts';
import { startNats } from '../backends/nats.ts';
import { freePort, Program } from '../backends/process.ts';
import { buildDaemon, DAEMON } from '../faults/world.ts';
import { startDaemonProcess, watching } from '../main-job/daemon-process.ts';
import { everythingTo } from '../main-job/subscribers.ts';
import { Deliveries } from './deliveries.ts';
import { type Envelope, readMqtt, readNats } from './readers.ts';

export const ROUTES = ['mqtt', 'nats'] as const;

/** Twenty at a time, its default, are too few for hundreds a second on a machine where an answer takes 50 ms. */
const MOSQUITTO = ['max_inflight_messages 1000'];

export interface Stage extends AsyncDisposable {
  /** Where the simulated API server is, and takes orders for faults. */
  readonly server: string;
  readonly simulator: Program;
  readonly mosquitto: Program;
  readonly nats: Program;
  readonly daemon: Program;
  readonly metricsPort: number;
  readonly journal: string;
  readonly deliveries: Deliveries;
}

export async function openStage(rate: number): Promise<Stage> {
  await using scope = new AsyncDisposableStack();
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-soak-'))).path;
  await buildDaemon();
  const port = await freePort();
  const server = `http://127.0.0.1:${port}`;
  const simulator = scope.use(
    await Program.start({
      name: 'the simulated API server',
      command: process.execPath,
      args: [...DAEMON.args, 'simulate', '--rate', String(rate), '--port', String(port)],
      log: join(directory, 'simulator.log'),
      ready: () => fetch(`${server}/emitted`),
    }),
  );
  const deliveries = new Deliveries(ROUTES, Date.now());
  const { program: mosquitto, address: mqttAt } = scope.use(await startMosquitto({ settings: MOSQUITTO }));
  const { program: nats, address: natsAt } = scope.use(await startNats());
  const readers = [
    scope.use(await readMqtt(mqttAt, (envelope) => note(deliveries, 'mqtt', envelope))),
    scope.use(await readNats(natsAt, (envelope) => note(deliveries, 'nats', envelope))),
  ];
  const metricsPort = await freePort();
  const journal = join(directory, 'journal.db');
  const daemon = scope.use(
    await startDaemonProcess({
      ...{ directory, program: DAEMON, ...everythingTo(...readers) },
      kube: { server, ca: '', token: 'any' },
      source: { startFrom: 'now' },
      // Short, so that the file soon has its size and loses as much as it gets.
      more: { metrics: { host: '127.0.0.1', port: metricsPort }, journal: { path: journal, retain: '5m' } },
    }),
  );
  await watching(metricsPort);
  scope.use(await followEmissions(server, deliveries));
  const owned = scope.move();
  return {
    ...{ server, simulator, mosquitto, nats, daemon, metricsPort, journal, deliveries },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function note(deliveries: Deliveries, route: string, { id, type, partitionkey, data }: Envelope): void {
  const at = performance.timeOrigin + performance.now();
  if (type === 'kube-fanout.event.v1') {
    const resourceVersion = Number(id.slice(id.lastIndexOf('.') + 1));
    deliveries.arrive(route, { resourceVersion, key: partitionkey, at });
  } else if (data?.gap !== undefined) {
    deliveries.announce(Number(data.gap.from ?? 0), Number(data.gap.to));
  }
}

const POLL_MS = 500;
const Count = z.object({ count: z.int() });

/** Asks the API server, for as long as it is not disposed of, what it has emitted from now on. */
async function followEmissions(server: string, deliveries: Deliveries): Promise<AsyncDisposable> {
  const end = new AbortController();
  const { signal } = end;
  let { count } = Count.parse(await (await fetch(`${server}/emitted`)).json());
  const follow = async () => {
    while (!signal.aborted) {
      // One that is frozen answers later.
      const text = await fetch(`${server}/emitted?from=${count}`, { signal }).then(
        (answer) => answer.text(),
        () => '',
      );
      for (const line of text.split('\n').slice(0, -1)) {
        const [uid = '', resourceVersion, at] = line.split(' ');
        const event = Number.parseInt(uid.slice(-8), 16);
        deliveries.emit({ resourceVersion: Number(resourceVersion), event, at: Number(at) });
        count += 1;
      }
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
  };
  const following = follow();
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await following;
    },
  };
}
