import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { eventJson } from './event-object.ts';
import type { Namespaces } from './namespaces.ts';
import { eventOf, type InvolvedObject, type Occurrence, stableUid } from './occurrence.ts';
import { type Body, cutAtResourceVersion } from './revision.ts';
import type { Store } from './store.ts';

export const loadOptions = z.strictObject({
  /** Events a second. */
  rate: z.number().positive().max(100_000),
  /** Without it, until it is aborted. */
  forSeconds: z.number().positive().optional(),
  /** How many objects they are about. */
  objects: z.int().positive().max(100_000).default(50),
  /** About how long the JSON of one Event is, filled up in its message. */
  bytes: z.int().positive().max(1_000_000).default(1_200),
  /** The share of them that are an earlier Event again, with its count raised. */
  updates: z.number().min(0).max(1).default(0.5),
});

export type LoadOptions = z.input<typeof loadOptions>;

export interface LoadReport {
  readonly emitted: number;
  readonly created: number;
  readonly updated: number;
  readonly seconds: number;
}

const TICK_MS = 5;

/**
 * Writes Events at a constant rate: after t seconds exactly rate × t of them, so what a busy moment held up is made
 * good. Resolves when the time is over or the signal aborts.
 */
export async function load(
  store: Store,
  namespaces: Namespaces,
  given: LoadOptions & { readonly signal?: AbortSignal | undefined },
): Promise<LoadReport> {
  const { signal, ...rest } = given;
  const options = loadOptions.parse(rest);
  const objects = Array.from({ length: options.objects }, (_, i) => new LoadedObject(store, i, options.bytes));
  for (const { namespace } of objects) namespaces.ensure(namespace);
  const total =
    options.forSeconds === undefined ? Number.POSITIVE_INFINITY : Math.round(options.rate * options.forSeconds);
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let emitted = 0;
  let created = 0;
  // The golden ratio spreads the updates evenly among the others, and the same in every run.
  const isUpdate = () => (emitted * 0.618_033_988_75) % 1 < options.updates;
  while (emitted < total && !signal?.aborted) {
    const due = Math.min(total, Math.floor(elapsed() * options.rate));
    for (; emitted < due; emitted++) {
      const object = objects[emitted % objects.length];
      if (object?.write(isUpdate()) === 'created') created++;
    }
    await wait(TICK_MS, undefined, { signal }).catch(() => {});
  }
  return { emitted, created, updated: emitted - created, seconds: elapsed() };
}

const REASONS: readonly (readonly [type: Occurrence['type'], reason: string, message: string])[] = [
  ['Normal', 'Pulled', 'The image is present on the node'],
  ['Normal', 'Created', 'Made the container app'],
  ['Normal', 'Started', 'The container app is running'],
  ['Warning', 'Unhealthy', 'The readiness probe got no answer within its time'],
  ['Warning', 'BackOff', 'Waiting before the failed container is started again'],
];

/** One Pod, and the Event about it that is repeated until the next one comes. */
class LoadedObject {
  readonly namespace: string;
  readonly #store: Store;
  readonly #object: InvolvedObject;
  readonly #host: string;
  readonly #bytes: number;
  #events = 0;
  #current: LoadedEvent | undefined;

  constructor(store: Store, index: number, bytes: number) {
    this.namespace = `load-${index % 4}`;
    const name = `worker-${String(index).padStart(5, '0')}`;
    const uid = stableUid('load', this.namespace, name);
    this.#object = { kind: 'Pod', apiVersion: 'v1', namespace: this.namespace, name, uid };
    this.#host = `node-${index % 8}`;
    this.#store = store;
    this.#bytes = bytes;
  }

  write(update: boolean): 'created' | 'updated' {
    if (update && this.#current !== undefined && this.#store.get(this.#current.key) !== undefined) {
      this.#current.repeat();
      return 'updated';
    }
    const [type, reason, message] = REASONS[this.#events % REASONS.length] ?? (['Normal', 'Started', ''] as const);
    const occurrence: Occurrence = {
      object: this.#object,
      type,
      reason,
      message,
      component: 'kubelet',
      host: this.#host,
    };
    this.#events++;
    this.#current = new LoadedEvent(this.#store, occurrence, this.#bytes);
    return 'created';
  }
}

/** Serialised once: what changes from one revision to the next, the time and the count, is put between the pieces. */
class LoadedEvent {
  readonly key: string;
  readonly #store: Store;
  readonly #namespace: string;
  readonly #name: string;
  readonly #uid: string;
  readonly pieces: readonly [head: string, beforeTime: string, beforeCount: string, rest: string];
  #count = 0;

  constructor(store: Store, occurrence: Occurrence, bytes: number) {
    const now = store.now();
    this.#store = store;
    this.#namespace = occurrence.object.namespace;
    this.#uid = store.newUid();
    this.#name = `${occurrence.object.name}.${this.#uid.slice(-12).padStart(16, '0')}`;
    this.key = `${this.#namespace}/${this.#name}`;
    const recording = { name: this.#name, uid: this.#uid, count: 1, first: now, last: now };
    const bare = cutAtResourceVersion(eventJson('core', eventOf(occurrence, recording)));
    this.pieces = piecesOf(bare, occurrence.message, Math.max(0, bytes - bare.head.length - bare.tail.length));
    this.repeat();
  }

  repeat(): void {
    const [head, beforeTime, beforeCount, rest] = this.pieces;
    const time = new Date(this.#store.now()).toISOString().slice(0, 19);
    const body: Body = { head, tail: `${beforeTime}${time}${beforeCount}${++this.#count}${rest}` };
    this.#store.put({ namespace: this.#namespace, name: this.#name, uid: this.#uid, body });
  }
}

const TIME = '"lastTimestamp":"';
const SECONDS = 'YYYY-MM-DDThh:mm:ss'.length;
const COUNT = 'Z","count":';

function piecesOf({ head, tail }: Body, message: string, padding: number): LoadedEvent['pieces'] {
  const padded = tail.replace(message, `${message}${' and so on'.repeat(padding / 10)}`);
  const time = padded.indexOf(TIME) + TIME.length;
  const count = time + SECONDS + COUNT.length;
  return [head, padded.slice(0, time), padded.slice(time + SECONDS, count), padded.slice(count + 1)];
}
