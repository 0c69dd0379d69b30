import {
  type Adapter,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
} from '../adapter.ts';

/** How long a broker may take, in milliseconds. Past it the client is thrown away, for an SDK's promise may never settle. */
export interface Deadlines {
  readonly connectMs: number;
  readonly publishMs: number;
  readonly closeMs: number;
}

const DEADLINES: Deadlines = { connectMs: 20_000, publishMs: 30_000, closeMs: 5_000 };

/**
 * Stands between the core and any adapter, so that no adapter has to defend itself and none is believed blindly.
 *
 * Whatever goes wrong in a publish, but for an outcome, is a lost connection: an answer that does not come in time, one
 * that is too short or too long, an error of the SDK that the adapter did not foresee. Nothing is then known of the
 * batch, so it is sent again on a new connection, which costs repeats and loses nothing.
 */
export class Guard {
  readonly #adapter: Adapter;
  readonly #deadlines: Deadlines;
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(adapter: Adapter, deadlines: Deadlines = DEADLINES) {
    this.#adapter = adapter;
    this.#deadlines = deadlines;
  }

  /** Around a new adapter; one that comes when nobody waits for it any more is closed. */
  static async make(create: () => Promise<Adapter>, signal: AbortSignal, deadlines = DEADLINES): Promise<Guard> {
    const coming = create();
    try {
      return new Guard(await within(deadlines.connectMs, signal, 'the client was not ready', () => coming), deadlines);
    } catch (error) {
      coming.then((adapter) => adapter.close()).catch(() => {});
      throw error;
    }
  }

  async connect(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'new') throw new Error('connect is called once');
    await within(this.#deadlines.connectMs, signal, 'the broker did not accept the connection', (s) =>
      this.#adapter.connect(s),
    );
    if (this.#state === 'new') this.#state = 'open';
  }

  async check(destinations: readonly Destination[], signal: AbortSignal): Promise<readonly Finding[]> {
    this.#demandOpen();
    return within(this.#deadlines.publishMs, signal, 'the broker did not answer', (s) =>
      this.#adapter.check(destinations, s),
    );
  }

  async publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    this.#demandOpen();
    let outcomes: readonly Outcome[];
    try {
      outcomes = await within(this.#deadlines.publishMs, signal, 'the broker did not acknowledge', (s) =>
        this.#adapter.publish(batch, s),
      );
    } catch (error) {
      if (error instanceof ConnectionLost) throw error;
      throw new ConnectionLost(error instanceof Error ? error.message : String(error), { cause: error });
    }
    if (outcomes.length !== batch.length) {
      throw new ConnectionLost(`the adapter answered for ${outcomes.length} of ${batch.length} messages`);
    }
    return outcomes;
  }

  /** Never rejects, and never takes longer than its deadline: whoever closes has nothing left to decide. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const never = new AbortController().signal;
    await within(this.#deadlines.closeMs, never, 'close took too long', () => this.#adapter.close()).catch(() => {});
  }

  #demandOpen(): void {
    if (this.#state !== 'open') throw new ConnectionLost('the connection is closed');
  }
}

/** Runs `work` with a signal that the deadline aborts too, and stops waiting for it either way. */
async function within<T>(
  ms: number,
  signal: AbortSignal,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const give = (error: Error) => {
    ended.abort(error);
    reject(error);
  };
  const onAbort = () => give(new ConnectionLost('stopped'));
  const timer = setTimeout(() => give(new ConnectionLost(`${what} within ${ms / 1000} s`)), ms);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work(ended.signal), promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    promise.catch(() => {});
  }
}
