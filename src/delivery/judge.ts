import type { Destination, Outcome, Receipt } from '../adapter.ts';
import { backoffMs } from './bell.ts';
import type { Entry, Verdict } from './entry.ts';

export type Ruling =
  | { readonly kind: 'delivered'; readonly receipt: Receipt }
  | { readonly kind: 'dead'; readonly verdict: Verdict }
  /** The key waits, then the message is tried again. */
  | { readonly kind: 'again'; readonly waitMs: number }
  /** It has been failing for too long to keep it in the window: this key goes to the parked messages. */
  | { readonly kind: 'park'; readonly verdict: Verdict; readonly waitMs: number }
  /** The whole destination takes nothing. */
  | { readonly kind: 'hold'; readonly verdict: Verdict };

/** How long one message is retried from memory before it is parked, and a lone reject is doubted before it is believed. */
const RETRY_MS = 60_000;
const DOUBT_MS = 600_000;
/** So many rejects in a row by a broker, with nothing delivered in between, are an outage of the destination. */
const REJECTS_THAT_HOLD = 10;
const BACKOFF = { firstMs: 200, maxMs: 10_000 };

/**
 * Turns what an adapter says of a message into what the route does with it.
 *
 * A broker's reject is believed only when another message passes the same destination meanwhile: a topic behind a
 * mis-set proxy, or one whose permissions were withdrawn, rejects everything, and filing its messages as dead letters
 * would be losing them. What an adapter judges itself (size, name) is believed at once and never counts for that, or
 * any pod could stop a route with a few long notes.
 */
export class Judge {
  /** Rejected by the broker, with nothing delivered to that destination since. */
  readonly #doubted = new Map<Destination, Set<Entry>>();

  ruling(entry: Entry, outcome: Outcome, now: number): Ruling {
    switch (outcome.kind) {
      case 'delivered':
        entry.failures = 0;
        return outcome;
      case 'held':
        return { kind: 'hold', verdict: { state: 'held', reason: outcome.reason, detail: outcome.detail } };
      case 'retry': {
        const waitMs = Math.max(outcome.afterMs ?? 0, backoffMs(entry.failures, BACKOFF));
        if (outcome.reason === 'sibling-failed') return { kind: 'again', waitMs: 0 };
        const verdict: Verdict = { state: 'retry', reason: outcome.reason, detail: outcome.detail };
        return this.#fails(entry, now) > RETRY_MS ? { kind: 'park', verdict, waitMs } : { kind: 'again', waitMs };
      }
      case 'reject': {
        const verdict: Verdict = { state: 'dead', reason: outcome.reason, detail: outcome.detail };
        return outcome.judge === 'adapter' ? { kind: 'dead', verdict } : this.#doubt(entry, verdict, now);
      }
      default:
        return outcome satisfies never;
    }
  }

  /** Something was delivered there, so what was rejected there is what is wrong, not the destination. */
  passed(destination: Destination): readonly Entry[] {
    const believed = [...(this.#doubted.get(destination) ?? [])].filter((entry) => entry.effect === undefined);
    this.#doubted.delete(destination);
    return believed;
  }

  #doubt(entry: Entry, verdict: Verdict, now: number): Ruling {
    const doubted = this.#doubted.get(entry.destination) ?? new Set();
    this.#doubted.set(entry.destination, doubted.add(entry));
    entry.rejected = verdict;
    if (this.#fails(entry, now) > DOUBT_MS) {
      doubted.delete(entry);
      return { kind: 'dead', verdict };
    }
    if (doubted.size < REJECTS_THAT_HOLD) return { kind: 'again', waitMs: backoffMs(entry.failures, BACKOFF) };
    this.#doubted.delete(entry.destination);
    const detail = `${REJECTS_THAT_HOLD} messages in a row were rejected, the last one: ${verdict.detail}`;
    return { kind: 'hold', verdict: { state: 'held', reason: 'rejected-repeatedly', detail } };
  }

  /** Counts a failure; returns for how long the message has been failing, in milliseconds. */
  #fails(entry: Entry, now: number): number {
    entry.failures += 1;
    entry.failedSince ??= now;
    return now - entry.failedSince;
  }
}
