/** The appends of one stream on their way into the journal: in order, one at a time, and together what waits together. */
import type { Journal } from '../journal/port.ts';
import type { Append, Appended, NewRecord } from '../journal/record.ts';
import type { Backlog } from './backlog.ts';

/** What a record takes in memory beside its data, about. */
const RECORD_OVERHEAD_BYTES = 600;

export interface AppendQueueParts {
  readonly journal: Pick<Journal, 'append'>;
  readonly backlog: Backlog;
  /** Told of each append that is durable, and how many records it had. */
  readonly appended: (appended: Appended, records: number) => void;
  /** The journal has failed; nothing more is appended. */
  readonly failed: (error: unknown) => void;
}

export class AppendQueue {
  readonly #parts: AppendQueueParts;
  readonly #signal: AbortSignal;
  #waiting: Append[] = [];
  #draining: Promise<void> | undefined;
  #pushed = 0;
  #done = 0;
  readonly #listeners: (() => void)[] = [];

  /** After the abort what waits is dropped: it is read again after the next start. */
  constructor(parts: AppendQueueParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Nobody waits for an append: the backlog bounds them. */
  push(append: Append): void {
    this.#parts.backlog.add(bytesOf(append.records));
    this.#waiting.push(append);
    this.#pushed += 1;
    this.#draining ??= this.#drain();
  }

  /** Settles when all that has been pushed so far is durable, or when the signal aborts. */
  async settled(signal: AbortSignal): Promise<void> {
    const until = this.#pushed;
    while (this.#done < until && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#listeners.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        const { records } = next;
        const until = this.#pushed - this.#waiting.length;
        const appended = await this.#parts.journal.append(next, this.#signal);
        this.#parts.backlog.remove(bytesOf(records));
        this.#parts.appended(appended, records.length);
        this.#done = until;
        for (const resume of this.#listeners.splice(0)) resume();
      }
      this.#draining = undefined;
    } catch (error) {
      if (!this.#signal.aborted) this.#parts.failed(error);
    }
  }

  /** All that waits, as one transaction; records of another epoch are another one. */
  #next(): Append | undefined {
    const epoch = this.#waiting[0]?.state.epoch;
    const others = this.#waiting.findIndex(({ state }) => state.epoch !== epoch);
    const together = this.#waiting.splice(0, others === -1 ? this.#waiting.length : others);
    const last = together.at(-1);
    if (last === undefined || together.length === 1) return last;
    return { records: together.flatMap(({ records }) => records), state: last.state };
  }
}

function bytesOf(records: readonly NewRecord[]): number {
  return records.reduce((sum, { data }) => sum + data.length + RECORD_OVERHEAD_BYTES, 0);
}
