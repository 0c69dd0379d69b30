/** What the faults of a run share: one API server and one of each broker, each started when somebody wants it. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KafkaBackend, startKafka } from '../backends/kafka.ts';
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { command } from '../backends/machine.ts';
import { type MosquittoBackend, startMosquitto } from '../backends/mosquitto.ts';
import { type NatsBackend, startNats } from '../backends/nats.ts';
import { type PubSubBackend, startPubSub } from '../backends/pubsub.ts';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../backends/toxiproxy.ts';
import type { DaemonSpec } from '../main-job/daemon-process.ts';
import { type Broker, type BrokerName, brokerOf } from './brokers.ts';

type DaemonProgram = NonNullable<DaemonSpec['program']>;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export class World implements AsyncDisposable {
  readonly #scope = new AsyncDisposableStack();
  readonly #started = new Set<Promise<unknown>>();
  #kafkaProxy: Promise<ToxicProxy> | undefined;

  readonly kube = this.#once<KubeBackend>(startKube);
  readonly toxiproxy = this.#once<Toxiproxy>(startToxiproxy);
  readonly kafka = this.#once<KafkaBackend>(() => startKafka({ front: (port) => this.#front(port) }));
  readonly mqtt = this.#once<MosquittoBackend>(startMosquitto);
  readonly nats = this.#once<NatsBackend>(startNats);
  readonly pubsub = this.#once<PubSubBackend>(startPubSub);

  /** The way to Kafka that can be broken: Kafka tells its clients to take it, if they came by it. */
  async kafkaProxy(): Promise<ToxicProxy> {
    await this.kafka();
    if (this.#kafkaProxy === undefined) throw new Error('Kafka has started without its proxy');
    return this.#kafkaProxy;
  }

  async #front(port: number): Promise<number> {
    this.#kafkaProxy = this.toxiproxy().then((toxiproxy) => toxiproxy.before(`127.0.0.1:${port}`));
    return (await this.#kafkaProxy).port;
  }

  /** The shared one: whoever disposes of it leaves it running. */
  broker(name: BrokerName): Promise<Broker> {
    const backends: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
      kafka: async () => brokerOf.kafka(await this.kafka()),
      mqtt: async () => brokerOf.mqtt(await this.mqtt()),
      nats: async () => brokerOf.nats(await this.nats()),
      pubsub: async () => brokerOf.pubsub(await this.pubsub()),
    };
    return backends[name]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#started);
    await this.#scope.disposeAsync();
  }

  #once<Backend extends AsyncDisposable>(start: () => Promise<Backend>): () => Promise<Backend> {
    let starting: Promise<Backend> | undefined;
    return () => {
      starting ??= start().then((backend) => this.#scope.use(backend));
      this.#started.add(starting);
      return starting;
    };
  }
}

/** From the sources of now. */
export async function buildDaemon(): Promise<void> {
  await command(join(ROOT, 'node_modules/.bin/tsc'), ['-p', join(ROOT, 'tsconfig.build.json')]);
}

const FLAGS = ['--max-semi-space-size=4', '--external-memory-accounted-in-global-limit', '--heap-growing-percent=30'];

/** How Node starts what `buildDaemon` has built, as its image does. */
export const DAEMON: DaemonProgram = {
  args: [...FLAGS, join(ROOT, 'dist/src/cli/main.js')],
  env: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' },
};
