/**
 * What the loops of a route wait for: something has changed, look again. A ring that nobody waits for is not lost, so
 * that a change between a loop's look and its wait wakes it at once. Stopping rings too: a loop that wakes looks at its
 * signal first.
 */
export class Bell {
  #next = Promise.withResolvers<void>();
  readonly #inner: Bell | undefined;

  /** `inner` is rung along; who waits for that one only is not woken by it. */
  constructor(inner?: Bell) {
    this.#inner = inner;
  }

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
    this.#inner?.ring();
  }

  readonly #alarms = new Set<NodeJS.Timeout>();

  /** Not before that: a timer may fire a fraction of a millisecond early, and the ring would find nothing due. */
  ringIn(ms: number, before: () => void = () => {}): void {
    const alarm = setTimeout(() => {
      this.#alarms.delete(alarm);
      before();
      this.ring();
    }, Math.ceil(ms) + 1);
    this.#alarms.add(alarm);
  }

  [Symbol.dispose](): void {
    for (const alarm of this.#alarms) clearTimeout(alarm);
    this.#alarms.clear();
  }

  /** Take the promise, then look at the condition, then await it: no ring in between goes unheard. */
  next(): Promise<void> {
    return this.#next.promise;
  }
}

/** Exponential from `firstMs` to `maxMs`, each wait drawn from the upper half so that many waiters spread out. */
export function backoffMs(attempt: number, { firstMs, maxMs }: { firstMs: number; maxMs: number }): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return full / 2 + Math.random() * (full / 2);
}
