import type { Verb } from './api-path.ts';
import { ApiError, expired } from './status.ts';
import type { Store } from './store.ts';
import type { Watch } from './watch.ts';

/** What waits for a request. `silent`: accepted, and closed cleanly at once, as some servers do instead of a 410. */
export type Ambush =
  | { readonly kind: 'answer'; readonly error: ApiError }
  | { readonly kind: 'line' | 'silent' | 'stall' };

interface Pending {
  readonly ambush: Ambush;
  readonly of: 'any' | 'list' | 'watch';
  left: number;
}

export interface Answer {
  readonly code: 401 | 403 | 410 | 429 | 500 | 503 | 504;
  readonly retryAfterSeconds?: number | undefined;
  /** How many requests are answered so. */
  readonly requests?: number | undefined;
  readonly of?: 'any' | 'list' | 'watch' | undefined;
}

const REASONS = {
  401: 'Unauthorized',
  403: 'Forbidden',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Everything that goes wrong between a real API server and those who watch it, on demand. */
export class Faults {
  readonly #store: Store;
  readonly #watches: ReadonlySet<Watch>;
  readonly #pending: Pending[] = [];

  constructor(store: Store, watches: ReadonlySet<Watch>) {
    this.#store = store;
    this.#watches = watches;
  }

  /** Forgets the history before `resourceVersion`, or all of it. Watches that keep up notice nothing. */
  compact(resourceVersion?: number): void {
    for (const watch of this.#watches) watch.pump();
    this.#store.compact(resourceVersion);
  }

  /** Ends every watch as if its time were up. */
  closeWatches(): void {
    for (const watch of [...this.#watches]) {
      watch.pump();
      watch.end();
    }
  }

  /** Says to the next watches that their resourceVersion is too old, in one of the forms that servers have for it. */
  expire(form: 'http' | 'line' | 'silent', requests = 1): void {
    const ambush: Ambush = form === 'http' ? { kind: 'answer', error: expired('watch') } : { kind: form };
    this.#pending.push({ ambush, of: 'watch', left: requests });
  }

  /** Refuses the next requests. */
  answer({ code, retryAfterSeconds, requests = 1, of = 'any' }: Answer): void {
    const error = new ApiError({
      code,
      reason: REASONS[code],
      message: `the simulator was asked to answer ${code}`,
      ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
    });
    this.#pending.push({ ambush: { kind: 'answer', error }, of, left: requests });
  }

  /** Accepts the next watches and never sends them anything, not even the end. */
  stall(requests = 1): void {
    this.#pending.push({ ambush: { kind: 'stall' }, of: 'watch', left: requests });
  }

  /** Breaks the connection of every open watch at that byte of what it is sent next. */
  cut(byte: number): void {
    for (const watch of this.#watches) watch.cut(byte);
  }

  /** Sends every open watch a line that is not an Event. */
  garbage(line: string): void {
    for (const watch of this.#watches) {
      watch.pump();
      watch.writeLine(line);
    }
  }

  /** Every open connection of a watch is dead from here on, and only this side knows. */
  halfOpen(): void {
    for (const watch of this.#watches) watch.freeze();
  }

  /** The cluster's state is set back to that of an earlier revision, as when etcd is restored; watches break. */
  restore(resourceVersion: number): void {
    this.closeWatches();
    this.#store.restore(resourceVersion);
  }

  /** Other resources are written: resourceVersions go by that no Event has. */
  advance(revisions: number): void {
    this.#store.advance(revisions);
  }

  /** The next changes of Events are never told to a watch, as by a broken store or proxy; lists have them. */
  hide(changes = 1): void {
    this.#store.hide(changes);
  }

  /** Forgets what still waits for a request. */
  clear(): void {
    this.#pending.length = 0;
  }

  /** What meets this request, if anything: the oldest that waits for one of its kind. */
  take(verb: Verb): Ambush | undefined {
    const index = this.#pending.findIndex(({ of }) => of === 'any' || of === verb);
    const pending = this.#pending[index];
    if (pending === undefined) return undefined;
    pending.left--;
    if (pending.left <= 0) this.#pending.splice(index, 1);
    return pending.ambush;
  }
}
