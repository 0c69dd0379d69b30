/** What the faults of a run share: one API server and one of each broker, each started when somebody wants it. */
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { type Broker, type BrokerName, START } from './brokers.ts';

export class World implements AsyncDisposable {
  readonly #scope = new AsyncDisposableStack();
  readonly #brokers = new Map<BrokerName, Promise<Broker>>();
  #kube: Promise<KubeBackend> | undefined;

  kube(): Promise<KubeBackend> {
    this.#kube ??= startKube().then((kube) => this.#scope.use(kube));
    return this.#kube;
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
