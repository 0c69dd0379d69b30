import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { eventJson } from './event-object.ts';
import type { Namespaces } from './namespaces.ts';
import { eventOf, type InvolvedObject, type Occurrence, stableUid } from './occurrence.ts';
import { cutAtResourceVersion } from './revision.ts';
import type { Store, Write } from './store.ts';

export const loadOptions = z.strictObject({
  /** Events a second. */
  rate: z.number().positive().max(100_000),
  /** Without it, until it is aborted. */
  forSeconds: z.number().positive().optional(),
  /** How many objects they are about. */
  objects: z.int().positive().max(10_000).default(50),
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
  readonly #templates: Template[] = [];
  #created = 0;
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
    this.#current = new LoadedEvent(this.#store, this.#nextTemplate());
    return 'created';
  }

  #nextTemplate(): Template {
    const at = this.#created++ % REASONS.length;
    const [type, reason, message] = REASONS[at] ?? (['Normal', 'Started', ''] as const);
    this.#templates[at] ??= templateOf(
      { object: this.#object, type, reason, message, component: 'kubelet', host: this.#host },
      this.#bytes,
    );
    return this.#templates[at];
  }
}

/** The JSON of an Event up to its resourceVersion and from there on, cut where one Event differs from another. */
interface Template {
  readonly object: InvolvedObject;
  /** Between these stand its name and its uid. */
  readonly head: readonly string[];
  /** Between these stand when it was created, three times, and when it was last seen. */
  readonly tail: readonly string[];
}

const TIME = '2000-01-01T00:00:00';

function templateOf(occurrence: Occurrence, bytes: number): Template {
  const time = Date.parse(`${TIME}Z`);
  const recording = { name: '{name}', uid: '{uid}', count: 1, first: time, last: time };
  const bodyOf = (one: Occurrence) => cutAtResourceVersion(eventJson('core', eventOf(one, recording)));
  const bare = bodyOf(occurrence);
  const padding = ' and so on'.repeat(Math.max(0, bytes - bare.head.length - bare.tail.length - 50) / 10);
  const { head, tail } = bodyOf({ ...occurrence, message: occurrence.message + padding });
  return { object: occurrence.object, head: head.split(/\{name\}|\{uid\}/), tail: tail.split(TIME) };
}

const COUNT = 'Z","count":';

/** At thousands a second only putting text together is cheap enough. */
class LoadedEvent {
  readonly key: string;
  readonly #store: Store;
  readonly #write: Omit<Write, 'body'>;
  readonly #head: string;
  readonly #beforeTime: string;
  readonly #afterCount: string;
  #count = 0;

  constructor(store: Store, { object, head, tail }: Template) {
    const uid = store.newUid();
    const name = `${object.name}.${uid.slice(-12).padStart(16, '0')}`;
    const { namespace } = object;
    const [created = '', by = '', first = '', last = '', end = ''] = tail;
    const now = timeOf(store.now());
    this.#store = store;
    this.#write = { namespace, name, uid };
    this.key = `${namespace}/${name}`;
    this.#head = `${head[0]}${name}${head[1]}${uid}${head[2]}`;
    this.#beforeTime = `${created}${now}${by}${now}${first}${now}${last}`;
    this.#afterCount = end.slice(COUNT.length + 1);
    this.repeat();
  }

  repeat(): void {
    const time = timeOf(this.#store.now());
    const tail = `${this.#beforeTime}${time}${COUNT}${++this.#count}${this.#afterCount}`;
    this.#store.put({ ...this.#write, body: { head: this.#head, tail } });
  }
}

/** To the second, as the times of an Event are. */
function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, TIME.length);
}
