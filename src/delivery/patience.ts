import type { Clock } from '../clock.ts';
import type { Bell } from './bell.ts';

/** The most urgent of what a route could commit: `urgent` is what a lane waits for, or a full window. */
export type Pending = 'urgent' | 'delivered' | 'skipped';

const WAITS_MS = { urgent: 0, delivered: 50, skipped: 500 } as const satisfies Record<Pending, number>;

/**
 * How often a route commits. A commit costs about as much for one message as for many, and a crash repeats what was not
 * committed. So one that says what was delivered comes at most twenty times a second, and one for a cursor that only passes
 * what the route does not want twice, or they would cost two hundred routes more than all else. The first after a while is
 * made at once.
 */
export class Patience {
  readonly #clock: Clock;
  readonly #bell: Bell;
  /** By the steady clock: the last commit, and when the bell will ring to look whether the next one is due. */
  #committedAt = Number.NEGATIVE_INFINITY;
  #lookAt = Number.POSITIVE_INFINITY;

  constructor({ clock, bell }: { readonly clock: Clock; readonly bell: Bell }) {
    this.#clock = clock;
    this.#bell = bell;
  }

  committing(): void {
    this.#committedAt = this.#clock.steady();
  }

  /** Whether that may wait for more; if so, the bell rings when it is due. */
  has(pending: Pending): boolean {
    const now = this.#clock.steady();
    const due = this.#committedAt + WAITS_MS[pending];
    if (due <= now) return false;
    if (due < this.#lookAt) {
      this.#lookAt = due;
      this.#bell.ringIn(due - now, () => {
        this.#lookAt = Number.POSITIVE_INFINITY;
      });
    }
    return true;
  }
}
