/** What the faults of a run share: one API server and one of each broker, each started when somebody wants it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { command } from '../backends/machine.ts';
import { type Broker, type BrokerName, START } from './brokers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export class World implements AsyncDisposable {
  readonly #scope = new AsyncDisposableStack();
  readonly #brokers = new Map<BrokerName, Promise<Broker>>();
  #kube: Promise<KubeBackend> | undefined;
  #daemon: Promise<readonly string[]> | undefined;

  kube(): Promise<KubeBackend> {
    this.#kube ??= startKube().then((kube) => this.#scope.use(kube));
    return this.#kube;
  }

  /** How Node starts the daemon as its image does, built from the sources of now. */
  daemon(): Promise<readonly string[]> {
    this.#daemon ??= build();
    return this.#daemon;
  }

  broker(name: BrokerName): Promise<Broker> {
    const known = this.#brokers.get(name) ?? START[name]().then((broker) => this.#scope.use(broker));
    this.#brokers.set(name, known);
    return known;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#kube, ...this.#brokers.values()]);
    await this.#scope.disposeAsync();
  }
}

async function build(): Promise<readonly string[]> {
  await command(join(ROOT, 'node_modules/.bin/tsc'), ['-p', join(ROOT, 'tsconfig.build.json')]);
  return ['--max-semi-space-size=4', join(ROOT, 'dist/src/cli/main.js')];
}
