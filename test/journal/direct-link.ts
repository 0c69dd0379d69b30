import { meaningOf } from '../../src/journal/failure.ts';
import { JournalFile } from '../../src/journal/file.ts';
import { JournalFailed, type Link } from '../../src/journal/link.ts';
import type { Call, CallName, Calls } from '../../src/journal/protocol.ts';
import { openDatabase } from '../../src/journal/schema.ts';

type Opened = Extract<Calls['open']['result'], { kind: 'open' }>;

/** The journal's file without a thread of its own, for tests that open hundreds of them. */
export class DirectLink implements Link {
  #file: JournalFile | undefined;
  #failure: JournalFailed | undefined;

  async open(path: string, maxBytes: number): Promise<Opened> {
    return this.#trusted(() => {
      const options = { path, sync: 'normal', maxBytes, whenDamaged: 'mend' } as const;
      const opened = openDatabase(options);
      if (!opened) throw new Error('somebody else has it open');
      try {
        this.#file = new JournalFile(opened.db, options);
        return { ...this.#file.opened(), mended: opened.mended };
      } catch (error) {
        opened.db.close();
        throw error;
      }
    });
  }

  async call<K extends CallName>(kind: K, argument: Calls[K]['argument']): Promise<Calls[K]['result']> {
    return this.#trusted(() => {
      // As `WorkerLink` says: each kind of call has its kind of argument and result.
      const call = { kind, argument } as Call;
      if (!this.#file || call.kind === 'open') throw new Error('it is not open');
      return this.#file.answer(call) as Calls[K]['result'];
    });
  }

  async close(): Promise<void> {
    this.#file?.answer({ kind: 'close', argument: undefined });
    this.#file = undefined;
  }

  #trusted<T>(answer: () => T): T {
    if (this.#failure) throw this.#failure;
    try {
      return answer();
    } catch (error) {
      this.#failure = new JournalFailed(meaningOf(error));
      throw this.#failure;
    }
  }
}
