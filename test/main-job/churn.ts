import { setTimeout as sleep } from 'node:timers/promises';
import { ordinaryEvents } from '../backends/events.ts';
import type { EventWriter, WrittenEvent } from '../backends/load.ts';

/** How long each writer rests between two writes, in milliseconds: other tests want the machine too. */
const REST = 20;

/** Writers that never stop: Events occur again, in bursts too, are deleted, and new ones take their place. */
export class Churn implements AsyncDisposable {
  readonly #writer: EventWriter;
  readonly #end = new AbortController();
  readonly #working: Promise<unknown>;

  constructor(writer: EventWriter, writers: number) {
    this.#writer = writer;
    const events = [...writer.written.values()];
    const share = (one: number) => events.filter((_, i) => i % writers === one);
    this.#working = Promise.all(Array.from({ length: writers }, (_, one) => this.#work(share(one))));
  }

  /** Settles when the last write has been answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#working;
  }

  async #work(mine: WrittenEvent[]): Promise<void> {
    const signal = this.#end.signal;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const [event] = mine.splice(Math.floor(Math.random() * mine.length), 1);
      if (event !== undefined) mine.push(await this.#next(event, turn));
      await sleep(REST, undefined, { signal }).catch(() => {});
    }
  }

  async #next(event: WrittenEvent, turn: number): Promise<WrittenEvent> {
    if (turn % 3 === 0) return this.#writer.repeat(await this.#writer.repeat(event));
    if (turn % 7 !== 0) return this.#writer.repeat(event);
    await this.#writer.delete(event);
    const [next] = ordinaryEvents(event.namespace, 1);
    if (next === undefined) throw new Error('one makes one');
    return this.#writer.create(next);
  }
}
