import { within } from './case.ts';
import type { Received } from './harness.ts';

/** What a subscription has brought so far, for readers that are told of each message. */
export class Arrivals {
  readonly #found: Received[] = [];
  #next = Promise.withResolvers<void>();

  add(received: Received): void {
    this.#found.push(received);
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  async received(count: number): Promise<readonly Received[]> {
    while (this.#found.length < count) {
      await within(15_000, `the message after ${this.#found.length} of ${count}`, this.#next.promise);
    }
    return this.#found;
  }
}
