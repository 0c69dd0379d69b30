import { setTimeout as sleep } from 'node:timers/promises';
import { ordinaryEvents } from '../backends/events.ts';
import type { KubeAddress } from '../backends/kube.ts';
import { EventWriter, type NewEvent, type WrittenEvent } from '../backends/load.ts';
import type { Random } from './random.ts';

const WRITERS = 8;
/** Events that are kept in hand to occur again. */
const LIVE = 200;

/**
 * Events at a steady rate, about fifty objects: half of them new, the others occur again, and now and then one is
 * deleted. It waits for an API server that is away, and does not make up for it afterwards.
 */
export class SteadyLoad implements AsyncDisposable {
  readonly #writer: EventWriter;
  readonly #random: Random;
  readonly #namespace: string;
  readonly #end = new AbortController();
  readonly #live: WrittenEvent[] = [];
  readonly #working: Promise<unknown>;
  #new: Iterator<NewEvent>;
  /** Revisions that the API server has acknowledged. */
  written = 0;

  constructor(kube: KubeAddress, options: { rate: number; namespace: string; random: Random }) {
    this.#writer = new EventWriter(kube, WRITERS);
    this.#random = options.random;
    this.#namespace = options.namespace;
    this.#new = ordinaryEvents(options.namespace, 1_000);
    const everyMs = (1_000 * WRITERS) / options.rate;
    this.#working = Promise.all(Array.from({ length: WRITERS }, () => this.#work(everyMs)));
    // Told by whoever disposes of it.
    this.#working.catch(() => {});
  }

  /** Settles when the last write has been answered; rejects when one was refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#working.finally(() => this.#writer[Symbol.asyncDispose]());
  }

  async #work(everyMs: number): Promise<void> {
    const { signal } = this.#end;
    let due = performance.now();
    while (!signal.aborted) {
      due = Math.max(due + everyMs, performance.now() - everyMs);
      await sleep(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => {});
      if (!signal.aborted) await this.#write();
    }
  }

  async #write(): Promise<void> {
    const again = this.#live.length > 20 && this.#random.next() < 0.5;
    const [event] = again ? this.#live.splice(this.#random.between(0, this.#live.length - 1), 1) : [];
    if (event === undefined) this.#keep(await this.#writer.create(this.#next()));
    else if (this.#live.length > LIVE) await this.#writer.delete(event);
    else this.#keep(await this.#writer.repeat(event));
    this.written += 1;
  }

  #keep(event: WrittenEvent): void {
    this.#live.push(event);
  }

  #next(): NewEvent {
    const { done, value } = this.#new.next();
    if (done !== true) return value;
    this.#new = ordinaryEvents(this.#namespace, 1_000);
    return this.#next();
  }
}
