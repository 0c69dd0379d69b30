/** Below this a watch would cost more questions than it is worth. */
const LEAST_SECONDS = 5;

/**
 * How long watches are asked to last. Proxies and load balancers on the way cut connections that are idle, many after 30
 * to 60 s, and a watch that is cut never says that it has told everything. So watches become shorter than what was cut,
 * and try to become longer again, slowly.
 */
export class WatchLength {
  readonly #most: number;
  #seconds: number;

  constructor(mostSeconds: number) {
    this.#most = mostSeconds;
    this.#seconds = mostSeconds;
  }

  /** Up to 20 % more or less, so that the streams of many daemons do not come back all at once. */
  next(): number {
    return Math.max(1, Math.round(this.#seconds * (0.8 + Math.random() * 0.4)));
  }

  /** One was cut when it had been idle for so long; at 75 % even the longest by jitter is shorter than that. */
  cut(idleMs: number): void {
    if (idleMs < LEAST_SECONDS * 1000) return;
    this.#seconds = Math.min(this.#most, Math.max(LEAST_SECONDS, (idleMs / 1000) * 0.75));
  }

  /** One has lasted to its end. */
  lasted(): void {
    this.#seconds = Math.min(this.#most, this.#seconds * 1.1);
  }
}
