import type { Destination } from '../adapter.ts';
import type { Entry } from './entry.ts';

const BATCH_BYTES = 4 * 1024 * 1024;

interface KeyQueue {
  readonly key: string;
  readonly waiting: Entry[];
  flying: number;
  /** Until when nothing is sent, by the steady clock, while there is a timer. */
  until: number;
  timer: NodeJS.Timeout | undefined;
}

export interface BatchLimit {
  readonly messages: number;
  /** Several messages of one key may go together. */
  readonly ordered: boolean;
}

/**
 * One FIFO for each key that has messages waiting or under way: this is what keeps the order per object.
 *
 * A key is in at most one batch at a time, and all its messages in a batch have one destination. So whatever the
 * outcomes, the messages of a key are attempted in order, while other keys overtake a slow one freely. A key that has
 * to wait (`backOff`) holds up nobody else.
 */
export class KeyQueues {
  readonly #queues = new Map<string, KeyQueue>();
  /** Keys with something to send and nothing under way, the longest waiting first. */
  readonly #ready = new Set<KeyQueue>();
  readonly #onReady: () => void;

  constructor(onReady: () => void) {
    this.#onReady = onReady;
  }

  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  add(entry: Entry): void {
    const queue = this.#queues.get(entry.key) ?? { key: entry.key, waiting: [], flying: 0, until: 0, timer: undefined };
    this.#queues.set(entry.key, queue);
    queue.waiting.push(entry);
    this.#settleQueue(queue);
  }

  /** The next batch; its keys are busy until each is given back by `landed`. */
  take(limit: BatchLimit): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    for (const queue of this.#ready) {
      const destination = queue.waiting[0]?.destination;
      let count = 0;
      for (const entry of queue.waiting) {
        const full = batch.length > 0 && (batch.length >= limit.messages || bytes + entry.bytes > BATCH_BYTES);
        if (full || entry.destination !== destination || (count > 0 && !limit.ordered)) break;
        batch.push(entry);
        bytes += entry.bytes;
        count += 1;
      }
      if (count === 0) break;
      queue.waiting.splice(0, count);
      queue.flying = count;
      this.#ready.delete(queue);
      if (batch.length >= limit.messages) break;
    }
    return batch;
  }

  /** The batch has its outcomes: `again`, in its own order, goes back to the front of its keys' queues. */
  landed(batch: readonly Entry[], again: readonly Entry[]): void {
    for (const entry of again.toReversed()) this.#queues.get(entry.key)?.waiting.unshift(entry);
    for (const { key } of batch) {
      const queue = this.#queues.get(key);
      if (queue === undefined) continue;
      queue.flying = 0;
      this.#settleQueue(queue);
    }
  }

  /** Nothing of the key is sent for so long, or for longer if that has been said before. */
  backOff(key: string, ms: number): void {
    const queue = this.#queues.get(key);
    const until = performance.now() + ms;
    if (queue === undefined || (queue.timer && queue.until >= until)) return;
    clearTimeout(queue.timer);
    queue.until = until;
    queue.timer = setTimeout(() => {
      queue.timer = undefined;
      this.#settleQueue(queue);
      this.#onReady();
    }, ms);
    this.#ready.delete(queue);
  }

  /** The keys that back off, and what waits of each, in order. */
  backingOff(): { readonly key: string; readonly first: Entry; readonly behind: readonly Entry[] }[] {
    const found: ReturnType<KeyQueues['backingOff']> = [];
    for (const { key, timer, waiting } of this.#queues.values()) {
      if (timer === undefined) continue;
      const [first, ...behind] = waiting;
      if (first !== undefined) found.push({ key, first, behind });
    }
    return found;
  }

  /** Takes out of the queues, in order, what is waiting for a destination, or for one key of it. */
  remove(which: (entry: Entry) => boolean): Entry[] {
    const removed: Entry[] = [];
    for (const queue of this.#queues.values()) {
      const kept = queue.waiting.filter((entry) => !which(entry));
      if (kept.length === queue.waiting.length) continue;
      removed.push(...queue.waiting.filter(which));
      queue.waiting.splice(0, queue.waiting.length, ...kept);
      this.#settleQueue(queue);
    }
    return removed;
  }

  removeOf(destination: Destination, key: string | undefined): Entry[] {
    return this.remove((entry) => entry.destination === destination && (key === undefined || entry.key === key));
  }

  [Symbol.dispose](): void {
    for (const queue of this.#queues.values()) clearTimeout(queue.timer);
    this.#queues.clear();
    this.#ready.clear();
  }

  #settleQueue(queue: KeyQueue): void {
    const idle = queue.flying === 0 && queue.timer === undefined;
    if (idle && queue.waiting.length > 0) this.#ready.add(queue);
    else this.#ready.delete(queue);
    if (idle && queue.waiting.length === 0) this.#queues.delete(queue.key);
  }
}
