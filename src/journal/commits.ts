import type { Logger } from 'pino';
import { failpoint } from '../failpoint.ts';
import type { Link } from './link.ts';
import type { Change, ChangeName, ChangeReply, Changes, Usage } from './protocol.ts';

/** A transaction takes no more, except for one append that is larger by itself. */
const COMMIT_BYTES = 8 * 1024 * 1024;
/** Appends that wait for a commit, packed; more wait with their callers. */
const WAITING_BYTES = 2 * COMMIT_BYTES;
const FULL_DISK_RETRY_MS = 500;

interface Waiting {
  readonly change: Change;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The group commit: one transaction is under way at a time and takes everything that waits for it, so that the price of
 * an fsync is shared by all who came in the meantime, and nobody lingers when it is quiet.
 *
 * Appends alone can be held back: by a quota, or by a full disk, which refuses them first. Everything else goes on,
 * since it is what makes room again.
 */
export class Commits {
  readonly #link: Link;
  readonly #log: Logger;
  readonly #onCommit: (usage: Usage) => void;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #running = false;
  /** What the full disk has refused: appends, or, with the reserve used up, whatever came. */
  #noRoom: 'nothing' | 'appends' | 'all' = 'nothing';
  #full = false;
  #retry: NodeJS.Timeout | undefined;
  #held = false;
  #progress = Promise.withResolvers<void>();
  #over: unknown;
  count = 0;

  constructor(link: Link, log: Logger, onCommit: (usage: Usage) => void) {
    this.#link = link;
    this.#log = log;
    this.#onCommit = onCommit;
  }

  /** Settles when the change is durable. An abort takes back what has not been sent to the worker yet. */
  async submit<K extends ChangeName>(
    kind: K,
    argument: Changes[K]['argument'],
    { bytes = 0, signal }: { readonly bytes?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Changes[K]['result']> {
    if (this.#over) throw this.#over;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waiting: Waiting = { change: { kind, argument } as Change, bytes, signal, resolve, reject };
    this.#queue.push(waiting);
    this.#queuedBytes += bytes;
    this.#start();
    const takeBack = () => this.#takeBack(waiting, signal?.reason);
    signal?.addEventListener('abort', takeBack, { once: true });
    try {
      // The worker answers each kind of change with its kind of result.
      return (await promise) as Changes[K]['result'];
    } finally {
      signal?.removeEventListener('abort', takeBack);
    }
  }

  /** Waits while too much waits already. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#queuedBytes >= WAITING_BYTES && !this.#over) await orAborted(this.#progress.promise, signal);
  }

  /** Settles when everything submitted so far, but for appends that are held back, has been committed. */
  async flushed(signal?: AbortSignal): Promise<void> {
    const idle = !this.#running && this.#noRoom !== 'all';
    if (!idle) await this.submit('barrier', undefined, signal ? { signal } : {});
  }

  /** While held, appends wait; all else goes on. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.#start();
  }

  /** Nothing is taken any more; what waits is rejected, but for what is under way. */
  end(reason: unknown): void {
    this.#over ??= reason;
    clearTimeout(this.#retry);
    const queue = this.#queue;
    this.#queue = [];
    for (const { reject } of queue) reject(reason);
    this.#progress.resolve();
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    // Calls of one turn share a commit.
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      try {
        await this.#commit(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
        this.end(error);
      }
      this.#progress.resolve();
      this.#progress = Promise.withResolvers();
    }
    this.#running = false;
  }

  #take(): Waiting[] {
    if (this.#noRoom === 'all') return [];
    const batch: Waiting[] = [];
    const left: Waiting[] = [];
    let bytes = 0;
    // Where not all of them fit, one may.
    const limit = this.#full ? 0 : COMMIT_BYTES;
    // Appends stay in their order: behind one that waits, all of them wait.
    let closed = this.#held || this.#noRoom === 'appends';
    for (const waiting of this.#queue) {
      const append = isAppend(waiting);
      if (append && bytes > 0 && bytes + waiting.bytes > limit) closed = true;
      if (append && closed) {
        left.push(waiting);
      } else {
        batch.push(waiting);
        bytes += waiting.bytes;
      }
    }
    this.#queue = left;
    return batch;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const changes = batch.map(({ change }) => change);
    const { replies, usage } = await this.#link.call('commit', changes);
    failpoint('journal.acknowledged');
    this.count += 1;
    const refused = batch.filter((waiting, at) => !this.#answer(waiting, replies[at]));
    this.#queue = [...refused, ...this.#queue];
    // What could not be taken back while it was under way can be now.
    for (const waiting of refused) if (waiting.signal?.aborted) this.#takeBack(waiting, waiting.signal.reason);
    if (this.#over) this.end(this.#over);
    else this.#onRoom(refused, batch);
    this.#onCommit(usage);
  }

  /** False when the disk was full: it goes back to where it was. */
  #answer(waiting: Waiting, reply: ChangeReply | undefined): boolean {
    if (reply?.kind === 'no-room') return false;
    this.#queuedBytes -= waiting.bytes;
    if (reply?.kind === 'done') waiting.resolve(reply.result);
    else waiting.reject(new Error(reply?.why ?? 'the journal gave no answer'));
    return true;
  }

  #onRoom(refused: readonly Waiting[], batch: readonly Waiting[]): void {
    if (refused.length > 0) {
      if (!this.#full)
        this.#log.error(
          'the disk of the journal is full: Events wait until there is room, deliveries go on, nothing is lost',
        );
      this.#full = true;
      this.#noRoom = refused.every(isAppend) ? 'appends' : 'all';
      this.#retry ??= setTimeout(() => this.#tryAgain(), FULL_DISK_RETRY_MS);
    } else if (this.#full && batch.some(isAppend)) {
      this.#full = false;
      this.#log.info('the disk of the journal has room again');
    }
  }

  #tryAgain(): void {
    this.#retry = undefined;
    this.#noRoom = 'nothing';
    this.#start();
  }

  #takeBack(waiting: Waiting, reason: unknown): void {
    const at = this.#queue.indexOf(waiting);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#queuedBytes -= waiting.bytes;
    waiting.reject(reason);
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }
}

function isAppend({ change }: Waiting): boolean {
  return change.kind === 'append';
}

async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
