import type { Logger } from 'pino';
import { type Adapter, ConnectionLost, type Message, type Outcome } from '../adapter.ts';
import { failpoint } from '../failpoint.ts';
import { type Bell, backoffMs } from './bell.ts';
import { type Deadlines, Guard } from './guard.ts';

/** All times in milliseconds since 1970; an outage is one, however often it is tried in between. */
export type ConnectionState =
  /** `error`: why the last attempt, or the last connection, has failed. */
  | { readonly kind: 'connecting'; readonly since: number; readonly error?: string | undefined }
  | { readonly kind: 'up'; readonly since: number }
  | { readonly kind: 'down'; readonly since: number; readonly error: string; readonly retryAt: number };

type State = ConnectionState extends infer One ? (One extends ConnectionState ? Omit<One, 'since'> : never) : never;

const BACKOFF = { firstMs: 500, maxMs: 30_000 };

/**
 * One route's connection to its broker: made, lost and made again, for ever.
 *
 * Each attempt gets a new adapter, so nothing of a broken client is carried over. The back-off starts anew only when
 * something has been delivered: a broker that accepts logins and then drops every publish must not be hammered.
 */
export class Connection {
  readonly #create: () => Promise<Adapter>;
  readonly #deadlines: Deadlines | undefined;
  readonly #bell: Bell;
  readonly #log: Logger;
  #guard: Guard | undefined;
  #state: ConnectionState = { kind: 'connecting', since: Date.now() };
  #attempts = 0;
  #lost = Promise.withResolvers<void>();

  constructor(options: { create: () => Promise<Adapter>; deadlines?: Deadlines; bell: Bell; log: Logger }) {
    this.#create = options.create;
    this.#deadlines = options.deadlines;
    this.#bell = options.bell;
    this.#log = options.log;
  }

  /** Counts the connections: what broke together has the same number. */
  generation = 0;

  get state(): ConnectionState {
    return this.#state;
  }

  /** Runs until the signal aborts; the connection is closed then. */
  async keep(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#lost.resolve(), { once: true });
    while (!signal.aborted) {
      const guard = await this.#open(signal);
      if (guard === undefined) continue;
      this.#guard = guard;
      this.generation += 1;
      this.#lost = Promise.withResolvers<void>();
      if (signal.aborted) this.#lost.resolve();
      failpoint('route.connected');
      this.#become({ kind: 'up' });
      await this.#lost.promise;
      this.#guard = undefined;
      await guard.close();
      if (!signal.aborted) await this.#pause(signal, this.#downBecause);
    }
  }

  #downBecause = '';

  /** Throws ConnectionLost, after which the connection is being made again. */
  async publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    const guard = this.#guard;
    if (guard === undefined) throw new ConnectionLost('not connected');
    try {
      const outcomes = await guard.publish(batch, signal);
      if (outcomes.some((outcome) => outcome.kind === 'delivered')) this.#attempts = 0;
      return outcomes;
    } catch (error) {
      if (this.#guard === guard) {
        failpoint('route.lost-connection');
        this.#guard = undefined;
        this.#downBecause = error instanceof Error ? error.message : String(error);
        this.#become({ kind: 'connecting', error: this.#downBecause });
        this.#lost.resolve();
      }
      throw error;
    }
  }

  async #open(signal: AbortSignal): Promise<Guard | undefined> {
    let guard: Guard | undefined;
    try {
      guard = await Guard.make(this.#create, signal, this.#deadlines);
      await guard.connect(signal);
      return guard;
    } catch (error) {
      await guard?.close();
      if (!signal.aborted) await this.#pause(signal, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  async #pause(signal: AbortSignal, error: string): Promise<void> {
    const ms = backoffMs(this.#attempts++, BACKOFF);
    this.#become({ kind: 'down', error, retryAt: Date.now() + ms });
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const stop = () => resolve();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) resolve();
    await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    this.#become({ kind: 'connecting', error });
  }

  /** An outage is said once, and again only when it has another reason. */
  #saidDown: string | undefined;
  #become(state: State): void {
    if (state.kind === 'down' && state.error !== this.#saidDown) {
      this.#saidDown = state.error;
      this.#log.warn({ error: state.error }, 'the broker is out of reach: trying again for ever, nothing is lost');
    }
    if (state.kind === 'up') {
      this.#log.info(this.#saidDown === undefined ? 'connected to the broker' : 'connected to the broker again');
      this.#saidDown = undefined;
    }
    const goesOn = (state.kind === 'up') === (this.#state.kind === 'up');
    this.#state = { ...state, since: goesOn ? this.#state.since : Date.now() };
    this.#bell.ring();
  }
}
