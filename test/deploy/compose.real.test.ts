import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PubSub } from '@google-cloud/pubsub';
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, test, vi } from 'vitest';
import { backend } from '../backends/backend.ts';
import { freePort, Program } from '../backends/process.ts';
import { NatsWire } from '../contract/nats-wire.ts';
import { textOf } from './files.ts';

const kafka = backend('kafka');
const mosquitto = backend('mosquitto');
const nats = backend('nats');
const pubsub = backend('pubsub');
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

vi.setConfig({ testTimeout: 180_000 });

describe.skipIf(kafka === null || mosquitto === null || nats === null || pubsub === null)(
  'compose without containers',
  () => {
    test('its config delivers the Events of the simulated cluster to all four brokers', async () => {
      await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-compose-'));
      await createDestinations();
      const [cluster, metrics] = [await freePort(), await freePort()];
      const answers = (url: string) => async () => expect((await fetch(url)).status).toBe(200);
      const start = (name: string, args: string[], ready: () => Promise<unknown>) =>
        Program.start({
          name,
          command: process.execPath,
          args: [main, ...args],
          log: join(directory.path, `${name}.log`),
          ready,
        });

      const simulate = ['simulate', '--port', String(cluster), '--rate', '50'];
      await using _ = await start('cluster', simulate, answers(`http://127.0.0.1:${cluster}/readyz`));
      const config = join(directory.path, 'compose.yaml');
      await writeFile(config, configFor(directory.path, cluster, metrics));
      await using daemon = await start('daemon', ['run', '-c', config], answers(`http://127.0.0.1:${metrics}/healthz`));
      const delivered = async () => {
        const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
        return Object.fromEntries(
          [...text.matchAll(/^kube_fanout_route_delivered_total\{route="(\w+)"\} (\d+)/gm)].map(([, route, count]) => [
            route,
            Number(count) >= 100,
          ]),
        );
      };
      const all = { kafka: true, mqtt: true, nats: true, pubsub: true };
      await expect
        .poll(delivered, { timeout: 120_000 })
        .toEqual(all)
        .catch(async (error) => {
          throw new Error(await readFile(daemon.log, 'utf8'), { cause: error });
        });
    });
  },
);

/** What the one-shots of compose make. */
async function createDestinations(): Promise<void> {
  if (kafka === null || nats === null || pubsub === null) return;
  const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'k8s-events', numPartitions: 6 }] });
  await admin.disconnect();
  await using wire = await NatsWire.connect(nats);
  await wire.jetStream('STREAM.CREATE.K8S_EVENTS', {
    name: 'K8S_EVENTS',
    subjects: ['k8s.>'],
    storage: 'file',
    retention: 'limits',
  });
  const sdk = new PubSub({
    projectId: 'kube-fanout',
    apiEndpoint: pubsub.endpoint,
    emulatorMode: true,
    clientOptions: { universeDomain: 'googleapis.com' },
  });
  await sdk.createTopic('k8s-events');
  await sdk.close();
}

/** The file as it is, but for the places, which within compose are names and a volume. */
function configFor(directory: string, cluster: number, metrics: number): string {
  const places: Record<string, string> = {
    'http://cluster:8001': `http://127.0.0.1:${cluster}`,
    'kafka:19092': kafka?.bootstrap ?? '',
    'mqtt://mosquitto:1883': mosquitto?.url ?? '',
    'nats://nats:4222': nats?.url ?? '',
    'pubsub:8085': pubsub?.endpoint ?? '',
    '/var/lib/kube-fanout': directory,
    'host: 0.0.0.0, port: 9464': `host: 127.0.0.1, port: ${metrics}`,
  };
  return Object.entries(places).reduce((text, [there, here]) => {
    expect(text).toContain(there);
    return text.replace(there, here);
  }, textOf('config/compose.yaml'));
}
