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

/** How long one message is retried from memory before it is parked. */
const RETRY_MS = 60_000;
/** A destination takes nothing when so many messages in a row were rejected, or all for so long. */
const REJECTS_THAT_HOLD = 10;
const REJECTS_THAT_HOLD_MS = 60_000;
/** A message can never pass when it was rejected so often, each time with another one delivered in between. */
const REJECTS_BEFORE_BELIEF = 3;
/** What a broker asks for is honoured up to here. */
const MAX_ASKED_MS = 600_000;
const BACKOFF = { firstMs: 200, maxMs: 10_000 };

/** A destination where the broker has rejected something, and has taken nothing since. */
interface Doubted {
  /** Another one for each row of rejects that a delivery has ended. */
  readonly era: number;
  readonly inARow: Set<Entry>;
  since: number;
}

/**
 * Turns what an adapter says of a message into what the route does with it.
 *
 * A broker's reject is believed only when other messages pass the same destination in between: a topic behind a mis-set
 * proxy, or one whose permissions were withdrawn, rejects everything, and filing its messages as dead letters would be
 * losing them. So rejects in a row hold the destination instead. What an adapter judges itself (size, name) is believed
 * at once and never counts for that, or any pod could stop a route with a few long notes.
 */
export class Judge {
  readonly #doubted = new Map<Destination, Doubted>();
  #eras = 0;

  ruling(entry: Entry, outcome: Outcome, now: number): Ruling {
    switch (outcome.kind) {
      case 'delivered':
        this.#passed(entry.destination);
        return outcome;
      case 'held':
        return { kind: 'hold', verdict: { state: 'held', reason: outcome.reason, detail: outcome.detail } };
      case 'retry': {
        if (outcome.reason === 'sibling-failed') return { kind: 'again', waitMs: 0 };
        const waitMs = Math.max(Math.min(outcome.afterMs ?? 0, MAX_ASKED_MS), backoffMs(entry.failures, BACKOFF));
        const verdict: Verdict = { state: 'retry', reason: outcome.reason, detail: outcome.detail };
        return fails(entry, now) > RETRY_MS ? { kind: 'park', verdict, waitMs } : { kind: 'again', waitMs };
      }
      case 'reject': {
        const verdict: Verdict = { state: 'dead', reason: outcome.reason, detail: outcome.detail };
        return outcome.judge === 'adapter' ? { kind: 'dead', verdict } : this.#doubt(entry, verdict, now);
      }
      default:
        return outcome satisfies never;
    }
  }

  #passed(destination: Destination): void {
    this.#doubted.delete(destination);
  }

  #doubt(entry: Entry, verdict: Verdict, now: number): Ruling {
    const doubted = this.#doubted.get(entry.destination) ?? { era: this.#eras++, inARow: new Set(), since: now };
    this.#doubted.set(entry.destination, doubted);
    if (doubted.inARow.size === 0) doubted.since = now;
    doubted.inARow.add(entry);
    fails(entry, now);
    if (entry.rejectedIn !== doubted.era) {
      entry.rejectedIn = doubted.era;
      entry.rejections += 1;
    }
    if (entry.rejections >= REJECTS_BEFORE_BELIEF) return { kind: 'dead', verdict };
    if (doubted.inARow.size < REJECTS_THAT_HOLD && now - doubted.since < REJECTS_THAT_HOLD_MS) {
      return { kind: 'again', waitMs: backoffMs(entry.failures, BACKOFF) };
    }
    doubted.inARow.clear();
    const detail = `the broker rejects whatever comes, the last time with: ${verdict.detail}`;
    return { kind: 'hold', verdict: { state: 'held', reason: 'rejected-repeatedly', detail } };
  }
}

/** Counts a failure; returns for how long the message has been failing, in milliseconds. */
function fails(entry: Entry, now: number): number {
  entry.failures += 1;
  entry.failedSince ??= now;
  return now - entry.failedSince;
}
