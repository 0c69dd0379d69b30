/** One piece of work at a time. Starting another withdraws the one before: its signal aborts, and nobody hears it again. */
export class Slot<Answer> {
  readonly #hear: (answer: Answer) => void;
  readonly #broken: (error: unknown) => void;
  #current = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** `broken` is told of what work rejects with while it is current: work answers for its own failures. */
  constructor(hear: (answer: Answer) => void, broken: (error: unknown) => void) {
    this.#hear = hear;
    this.#broken = broken;
  }

  /** Work may tell answers as it goes, before the last one that it settles with. */
  start(work: (signal: AbortSignal, tell: (answer: Answer) => void) => Promise<Answer>): void {
    this.#current.abort();
    const current = new AbortController();
    this.#current = current;
    const tell = (answer: Answer): void => {
      if (!current.signal.aborted) this.#hear(answer);
    };
    const before = this.#running;
    this.#running = work(current.signal, tell)
      .then(tell, (error: unknown) => {
        if (!current.signal.aborted) this.#broken(error);
      })
      .then(() => before);
  }

  stop(): void {
    this.#current.abort();
  }

  /** Settles when the work, and any that was withdrawn before it, has let go of everything. */
  idle(): Promise<void> {
    return this.#running;
  }
}
