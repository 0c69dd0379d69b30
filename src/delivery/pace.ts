import type { Capabilities } from '../adapter.ts';
import type { Clock } from '../clock.ts';
import { backoffMs } from './bell.ts';
import type { Entry, Hold, Verdict } from './entry.ts';

/** After so many lost connections in a row, messages go one by one. */
const LOSSES_BEFORE_ALONE = 3;
/** What breaks the connection so often, alone, is to blame for it, if chance explains it less than once in so many. */
const BREAKS_BEFORE_BLAME = 3;
const BY_CHANCE = 1e-4;
/** A batch that has waited so long when its connection was lost was too much for the link, in milliseconds. */
const SLOW_MS = 10_000;
/** By this share of itself what may be under way grows each time that as much has been delivered. */
const GROWTH = 1 / 16;

/** How a batch went: on which connection, and how long until it was answered or that broke. */
export interface Flight {
  readonly generation: number;
  readonly tookMs: number;
}

/**
 * How much a route may send at once: all that its adapter can take, one message, or nothing for a while.
 *
 * A poison pill must not stop a route for ever, and a flapping broker must not fill the dead letters. So after a few
 * losses without progress (nothing that was under way at a loss has been settled since) each message goes alone; one that
 * breaks its connection alone is a suspect, and makes room for others. How the others fare meanwhile tells the broker from
 * the message: if a share p of their attempts breaks too, an innocent message breaks n times in a row with a chance of
 * p to the n. When that is next to nothing the suspect is guilty; while it is not, the suspect is tried again.
 *
 * On a link so slow that what is under way is not acknowledged before the deadline, to send the same again would never
 * end, and all of it be stored each time. So a connection that is lost after such a wait halves the batches and their
 * number, and what is delivered lets them grow again, as TCP does it.
 *
 * A route through which nothing passes stops: everything stays where it is, and one message at a time probes.
 */
export class Pace {
  readonly #capabilities: Capabilities;
  readonly #suspects = new Set<Entry>();
  #unproven = new Set<Entry>();
  #losses = 0;
  #generation = -1;
  /** Of what the adapter can take at once. */
  #share = 1;
  #stopped: Hold | undefined;
  #probes = 0;
  #probeAt = 0;

  constructor(capabilities: Capabilities) {
    this.#capabilities = capabilities;
  }

  get stopped(): Hold | undefined {
    return this.#stopped;
  }

  get #alone(): boolean {
    return this.#losses >= LOSSES_BEFORE_ALONE || this.#suspects.size > 0;
  }

  get #most(): { readonly messages: number; readonly parallelism: number } {
    const of = (most: number) => Math.max(1, Math.floor(most * this.#share));
    return { messages: of(this.#capabilities.batchSize), parallelism: of(this.#capabilities.parallelism) };
  }

  /** Messages in the next batch and batches under way at most; 0 messages while a stopped route waits for its probe. */
  limit(now: number): { readonly messages: number; readonly parallelism: number } {
    if (this.#stopped) return { messages: now < this.#probeAt ? 0 : 1, parallelism: 1 };
    if (this.#alone) return { messages: 1, parallelism: 1 };
    return this.#most;
  }

  /** Nothing passes: returns in how many milliseconds the next probe is due. */
  stop(verdict: Verdict, clock: Clock): number {
    const now = clock.steady();
    // The rest of what was under way when it stopped says nothing new.
    if (this.#stopped && now < this.#probeAt) return this.#probeAt - now;
    this.#stopped = { ...verdict, since: this.#stopped?.since ?? clock.wall() };
    const ms = backoffMs(this.#probes++, { firstMs: 1_000, maxMs: 30_000 });
    this.#probeAt = now + ms;
    return ms;
  }

  delivered(entry: Entry): void {
    const { messages, parallelism } = this.#most;
    this.#share = Math.min(1, this.#share * (1 + GROWTH / (messages * parallelism)));
    this.#stopped = undefined;
    this.#probes = 0;
    this.#suspects.delete(entry);
    for (const suspect of this.#suspects) suspect.othersPassed += 1;
    this.settled(entry);
  }

  /** The broker has given a verdict, whichever: the message did not break the connection. */
  settled(entry: Entry): void {
    this.#suspects.delete(entry);
    if (this.#unproven.delete(entry) && this.#unproven.size === 0) this.#losses = 0;
  }

  /** The connection of that generation broke under the batch; returns the message that is to blame, if it is known. */
  lost(batch: readonly Entry[], { generation, tookMs }: Flight): Entry | undefined {
    if (batch.length === 0) return undefined;
    const suspect = batch.length === 1 && this.#alone ? batch[0] : undefined;
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#losses += 1;
      const { batchSize, parallelism } = this.#capabilities;
      if (tookMs >= SLOW_MS) this.#share = Math.max(this.#share / 2, 1 / Math.max(batchSize, parallelism));
      this.#unproven = new Set();
    }
    for (const entry of batch) this.#unproven.add(entry);
    if (suspect === undefined) return undefined;
    suspect.breaks += 1;
    for (const other of this.#suspects) if (other !== suspect) other.othersBroke += 1;
    this.#suspects.add(suspect);
    if (suspect.breaks < BREAKS_BEFORE_BLAME || chance(suspect) > BY_CHANCE) return undefined;
    this.settled(suspect);
    return suspect;
  }

  /** It has broken the connection as often as would do for blame, but others have no better: they may be pills as well. */
  isUndecided({ breaks, othersPassed, othersBroke }: Entry): boolean {
    return breaks >= BREAKS_BEFORE_BLAME && othersBroke > 0 && othersBroke >= othersPassed;
  }
}

/** That an innocent message would have broken the connection as often; the share is Laplace's estimate. */
function chance({ breaks, othersPassed, othersBroke }: Entry): number {
  return ((othersBroke + 1) / (othersPassed + othersBroke + 2)) ** breaks;
}
