import { alreadyExists, invalid, notFound } from './status.ts';
import type { Store } from './store.ts';

interface Namespace {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly finalizers: readonly string[] };
  readonly status: { readonly phase: 'Active' };
}

export const NAMESPACE_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Just enough of namespaces that Events have one to be in: they can be created, read and listed. */
export class Namespaces {
  readonly #store: Store;
  readonly #known = new Map<string, Namespace>();

  constructor(store: Store) {
    this.#store = store;
    for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) this.create(name);
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  ensure(name: string): void {
    if (!this.has(name)) this.create(name);
  }

  create(name: string): object {
    if (this.has(name)) throw alreadyExists('namespaces', name);
    if (!NAMESPACE_NAME.test(name)) {
      const message = `Invalid value: "${name}": only lower case letters and digits, and '-' between them`;
      throw invalid({ kind: 'Namespace', name }, [{ field: 'metadata.name', reason: 'FieldValueInvalid', message }]);
    }
    const namespace: Namespace = {
      metadata: {
        name,
        uid: this.#store.newUid(),
        resourceVersion: String(this.#store.advance()),
        creationTimestamp: `${new Date(this.#store.now()).toISOString().slice(0, 19)}Z`,
        labels: { 'kubernetes.io/metadata.name': name },
      },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
    this.#known.set(name, namespace);
    return this.get(name);
  }

  get(name: string): object {
    const namespace = this.#known.get(name);
    if (namespace === undefined) throw notFound('namespaces', name);
    return { kind: 'Namespace', apiVersion: 'v1', ...namespace };
  }

  list(): object {
    const items = [...this.#known.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const metadata = { resourceVersion: String(this.#store.revision) };
    return { kind: 'NamespaceList', apiVersion: 'v1', metadata, items };
  }
}
