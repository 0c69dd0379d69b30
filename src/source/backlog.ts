/** What has been read from the API server and is not in the journal yet, in bytes: the bound on the source's memory. */
export class Backlog {
  readonly #limit: number;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get full(): boolean {
    return this.#bytes >= this.#limit;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
    if (this.full) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Settles when there is room, when that has taken `withinMs`, or when the signal aborts. */
  async room(signal: AbortSignal, withinMs?: number): Promise<void> {
    if (!this.full || signal.aborted) return;
    // Of this wait alone: a signal keeps what listens to it, and there are many waits in the life of one.
    let over = false;
    let wake = () => {};
    const end = () => {
      over = true;
      wake();
    };
    const timer = withinMs === undefined ? undefined : setTimeout(end, withinMs);
    signal.addEventListener('abort', end);
    try {
      while (this.full && !over) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        this.#waiting.push(resolve);
        await promise;
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}
