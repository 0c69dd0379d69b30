import type { ConnectionLost } from '../src/adapter.ts';

/**
 * What is under way on one connection. SDK promises may never settle once a connection is gone: here each ends with its
 * own result, with its caller's signal or with the connection, whichever comes first.
 */
export class UnderWay {
  readonly #rejects = new Set<(reason: unknown) => void>();
  #lost: ConnectionLost | undefined;

  /** Rejects with the signal's reason on abort, and with ConnectionLost once the connection has ended. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#lost) throw this.#lost;
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    this.#rejects.add(reject);
    signal.addEventListener('abort', abort);
    try {
      return await Promise.race([work(), promise]);
    } finally {
      this.#rejects.delete(reject);
      signal.removeEventListener('abort', abort);
    }
  }

  /** The connection is gone: ends all that is under way and all that is begun later. The first reason stays. */
  end(lost: ConnectionLost): void {
    this.#lost ??= lost;
    for (const reject of this.#rejects) reject(this.#lost);
  }
}
