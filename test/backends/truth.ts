import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { EVENTS, etcdPut, etcdRevision } from './etcd.ts';
import { type Change, type Told, watchEtcd } from './etcd-watch.ts';
import type { KubeAddress } from './kube.ts';

/** One revision of an Event, as etcd stored it. */
export interface TruthRevision {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** etcd's mod_revision, which is what the API server gives as the resourceVersion. */
  readonly resourceVersion: string;
  /** How often etcd had been restored from a backup before: resourceVersions of two histories are not compared. */
  readonly history: number;
  /** Deleted or expired; the other fields are those of the last revision. */
  readonly deleted: boolean;
  readonly involved: InvolvedObject;
  readonly reason: string;
  /** How often it occurred, by whichever of the two counts there is; 0 without any. */
  readonly count: number;
}

/** Whatever the writer left out is empty. */
interface InvolvedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

const text = z.string().default('');
const Involved = z.object({ apiVersion: text, kind: text, namespace: text, name: text, uid: text });
/** The API server stores the core/v1 shape whichever API wrote it. */
const Stored = z.object({
  metadata: z.object({ uid: z.string(), namespace: z.string(), name: z.string() }),
  involvedObject: Involved,
  reason: text,
  count: z.number().default(0),
  series: z.object({ count: z.number() }).optional(),
});

/** The first key after the prefix: no Event can have it, and a watch that includes it can be asked how far it is. */
const SENTINEL = EVENTS.to;
const RANGE = { from: EVENTS.from, to: `${SENTINEL}\0` };

/** From etcd's first revision, or from now on: an API server that is a few minutes old has compacted its beginning. */
export async function watchTruth(kube: KubeAddress, from: 'beginning' | 'now' = 'beginning'): Promise<Truth> {
  const truth = new Truth(kube, from === 'now' ? await etcdRevision(kube) : 0n);
  await truth.upTo();
  return truth;
}

/**
 * What really happened: every revision of every Event behind `after`, read from etcd, past the API server that is under
 * test. Begin before the test may compact; what etcd has forgotten by then makes `upTo` reject.
 */
export class Truth implements AsyncDisposable {
  readonly #kube: KubeAddress;
  readonly #revisions: TruthRevision[] = [];
  readonly #last = new Map<string, TruthRevision>();
  readonly #waiting = new Set<{ revision: bigint; resolve: () => void; reject: (error: unknown) => void }>();
  readonly #end = new AbortController();
  readonly #watching: Promise<void>;
  #following = new AbortController();
  #history = 0;
  #seen: bigint;
  #failure: Error | undefined;

  constructor(kube: KubeAddress, after: bigint) {
    this.#kube = kube;
    this.#seen = after;
    this.#watching = this.#watch();
  }

  /** In the order in which they happened. */
  get revisions(): readonly TruthRevision[] {
    return this.#revisions;
  }

  /** Settles when `revisions` holds everything that was written before this call, and up to `revision`. */
  async upTo(revision: string | bigint = 0n): Promise<void> {
    const marked = await etcdPut(this.#kube, SENTINEL);
    if (BigInt(revision) > marked) throw new Error(`etcd is at revision ${marked}; there is no ${revision} yet.`);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#seen >= marked) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add({ revision: marked, resolve, reject });
    await promise;
  }

  /** etcd has been restored from a backup that stood at `revision`, and no Event has been written since. */
  restored(revision: bigint): void {
    this.#history += 1;
    this.#seen = revision;
    this.#following.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#watching;
  }

  /** Goes on where it was whenever etcd is started again; ends for good when etcd has forgotten that place. */
  async #watch(): Promise<void> {
    while (!this.#end.signal.aborted && this.#failure === undefined) {
      try {
        await this.#follow();
      } catch (error) {
        if (error instanceof HistoryLost) this.#failure = error;
        else await sleep(50, undefined, { signal: this.#end.signal }).catch(() => {});
      }
    }
    const reason = this.#failure ?? new Error('The watch on etcd was closed.');
    for (const waiter of this.#waiting) waiter.reject(reason);
  }

  async #follow(): Promise<void> {
    this.#following = new AbortController();
    const signal = AbortSignal.any([this.#end.signal, this.#following.signal]);
    for await (const told of watchEtcd(this.#kube, { ...RANGE, revision: this.#seen + 1n }, signal)) this.#take(told);
  }

  #take({ canceled, cancel_reason, compact_revision, events }: Told): void {
    if (canceled) throw new HistoryLost(`etcd ended the watch: ${cancel_reason} (compacted at ${compact_revision}).`);
    for (const change of events) {
      if (change.kv.key !== SENTINEL) this.#add(change);
      this.#seen = BigInt(change.kv.mod_revision);
    }
    for (const waiter of this.#waiting) {
      if (this.#seen < waiter.revision) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }

  #add({ type, kv: { key, value, mod_revision: resourceVersion } }: Change): void {
    const last = this.#last.get(key);
    const revision =
      type === 'PUT'
        ? { ...decode(value), resourceVersion, history: this.#history }
        : last && { ...last, resourceVersion, history: this.#history, deleted: true };
    if (revision === undefined) return;
    this.#revisions.push(revision);
    if (type === 'PUT') this.#last.set(key, revision);
    else this.#last.delete(key);
  }
}

class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
}

function decode(value: string): Omit<TruthRevision, 'resourceVersion' | 'history'> {
  const stored = Stored.parse(JSON.parse(value));
  const { metadata, involvedObject, reason, count, series } = stored;
  return { ...metadata, deleted: false, involved: involvedObject, reason, count: series?.count ?? count };
}
