import { setTimeout as sleep } from 'node:timers/promises';
import { errors } from 'undici';
import { z } from 'zod';
import type { KubeAddress } from './kube.ts';
import { type Answer, KubeClient } from './kube-client.ts';

/** An Event to be written through either API; fields are left to the generators. */
export interface NewEvent {
  readonly apiVersion: 'v1' | 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly metadata: { readonly namespace: string; readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** An Event that the API server has acknowledged. */
export interface WrittenEvent {
  readonly apiVersion: NewEvent['apiVersion'];
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Of each acknowledged write; one whose answer was lost may be missing here, never in the truth. */
  readonly resourceVersions: readonly string[];
}

const Stored = z.object({ metadata: z.object({ uid: z.string(), resourceVersion: z.string() }) });

/**
 * Writes Events as fast as `writers` connections allow, and remembers them. It waits for an API server that is away,
 * so that a test may kill that while it writes.
 */
export class EventWriter implements AsyncDisposable {
  readonly #client: KubeClient;
  readonly #writers: number;
  readonly #written = new Map<string, WrittenEvent>();
  readonly #end = new AbortController();

  constructor(kube: KubeAddress, writers = 8) {
    this.#client = new KubeClient(kube, writers);
    this.#writers = writers;
  }

  /** By uid. */
  get written(): ReadonlyMap<string, WrittenEvent> {
    return this.#written;
  }

  async create(event: NewEvent): Promise<WrittenEvent> {
    const path = collection(event.apiVersion, event.metadata.namespace);
    const answer = await this.#persist('POST', path, event);
    // An answer that was lost on the way: the Event is there, and this is it.
    const known = answer.status === 409 ? await this.#persist('GET', `${path}/${event.metadata.name}`) : answer;
    return this.#remember({ apiVersion: event.apiVersion, ...event.metadata }, known);
  }

  /** It occurs again: its count goes up to what `times` says, in the way of the API that wrote it. */
  async repeat(event: WrittenEvent, times = event.resourceVersions.length + 1): Promise<WrittenEvent> {
    const now = new Date().toISOString();
    const series = { series: { count: times, lastObservedTime: microTime(now) } };
    const patch = event.apiVersion === 'v1' ? { count: times, lastTimestamp: now.replace(/\.\d+Z/, 'Z') } : series;
    const path = `${collection(event.apiVersion, event.namespace)}/${event.name}`;
    return this.#remember(event, await this.#persist('PATCH', path, patch));
  }

  async delete(event: WrittenEvent): Promise<void> {
    await this.#persist('DELETE', `${collection(event.apiVersion, event.namespace)}/${event.name}`);
  }

  /** Does the work for all items, as many at once as there are writers. */
  async each<Item>(items: Iterable<Item>, work: (item: Item) => Promise<unknown>): Promise<void> {
    const queue = items[Symbol.iterator]();
    const take = async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
    };
    await Promise.all(Array.from({ length: this.#writers }, take));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#client[Symbol.asyncDispose]();
  }

  #remember(event: Pick<WrittenEvent, 'apiVersion' | 'namespace' | 'name'>, { status, body }: Answer): WrittenEvent {
    if (status >= 400)
      throw new Error(`${event.namespace}/${event.name}: ${status} ${JSON.stringify(body).slice(0, 500)}`);
    const { uid, resourceVersion } = Stored.parse(body).metadata;
    const resourceVersions = [...(this.#written.get(uid)?.resourceVersions ?? []), resourceVersion];
    const { apiVersion, namespace, name } = event;
    const written = { apiVersion, namespace, name, uid, resourceVersions };
    this.#written.set(uid, written);
    return written;
  }

  /** Tries until the server has answered with something else than "not now". */
  async #persist(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    for (;;) {
      this.#end.signal.throwIfAborted();
      const answer = await this.#client.send(method, path, body).catch(unreachable);
      if (answer !== undefined && answer.status !== 429 && answer.status < 500) return answer;
      await sleep(50, undefined, { signal: this.#end.signal });
    }
  }
}

/** A connection that failed is no answer; any other error is a defect of the test. */
function unreachable(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof errors.UndiciError || typeof code === 'string') return undefined;
  throw error;
}

function collection(apiVersion: NewEvent['apiVersion'], namespace: string): string {
  const root = apiVersion === 'v1' ? '/api/v1' : '/apis/events.k8s.io/v1';
  return `${root}/namespaces/${namespace}/events`;
}

/** Kubernetes' MicroTime demands six digits. */
export function microTime(time: string): string {
  return time.replace(/\.(\d{3})Z$/, '.$1000Z');
}
