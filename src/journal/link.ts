import { Worker } from 'node:worker_threads';
import { meaningOf } from './failure.ts';
import type { Call, CallName, Calls, Reply } from './protocol.ts';

/** The file can be trusted no more. Nothing can be appended or settled; the daemon must end and start again. */
export class JournalFailed extends Error {
  override readonly name = 'JournalFailed';
}

/** The file's side, as the daemon's side asks it. */
export interface Link {
  call<K extends CallName>(kind: K, argument: Calls[K]['argument']): Promise<Calls[K]['result']>;
  /** Closes the file. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Calls to the worker thread and their answers. Once it has failed, every call rejects with the same error. */
export class WorkerLink implements Link {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onFailure: (error: JournalFailed) => void;
  #failure: JournalFailed | undefined;
  #ended = false;
  #next = 0;

  constructor(path: string, onFailure: (error: JournalFailed) => void) {
    this.#onFailure = onFailure;
    // tsc rewrites the endings of imports, but not this one.
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    // What passes through here lives for a commit: a larger nursery would only hold more of it before it is collected.
    const resourceLimits = { maxYoungGenerationSizeMb: 4 };
    this.#worker = new Worker(new URL(file, import.meta.url), { name: 'journal', resourceLimits });
    this.#worker.on('message', (reply: Reply) => this.#answered(reply, path));
    this.#worker.on('error', (error) => this.#fail(new JournalFailed(`the journal ${path}: ${meaningOf(error)}`)));
    this.#worker.on('exit', () => {
      if (!this.#ended) this.#fail(new JournalFailed(`the journal ${path}: its thread ended by itself`));
    });
  }

  call<K extends CallName>(kind: K, argument: Calls[K]['argument']): Promise<Calls[K]['result']> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.reject(new Error('the journal is closed'));
    const id = this.#next++;
    // The worker answers each kind of call with its kind of result.
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#worker.postMessage({ id, call: { kind, argument } as Call });
    return answer as Promise<Calls[K]['result']>;
  }

  /** Closes the file and ends the thread. */
  async close(): Promise<void> {
    if (this.#ended) return;
    try {
      if (!this.#failure) await this.call('close', undefined);
    } finally {
      this.#ended = true;
      await this.#worker.terminate();
      for (const { reject } of this.#waiting.values()) reject(new Error('the journal is closed'));
    }
  }

  #answered(reply: Reply, path: string): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === 'result') {
      waiting?.resolve(reply.result);
      return;
    }
    const failure = new JournalFailed(`the journal ${path}: ${reply.message}`);
    waiting?.reject(failure);
    this.#fail(failure);
  }

  #fail(failure: JournalFailed): void {
    if (this.#failure || this.#ended) return;
    this.#failure = failure;
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
    this.#onFailure(failure);
  }
}
