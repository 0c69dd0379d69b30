/** The worker's side of the journal: the one SQLite connection, and everything that works on it. */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { Appender } from './append.ts';
import { Expiry } from './expire.ts';
import { ParkedTable } from './parked.ts';
import type { Call, CallName, Calls, Change, ChangeName, ChangeReply, Changes, Usage } from './protocol.ts';
import { Reader } from './read.ts';
import { Routes } from './routes.ts';
import { FULL, resultCode } from './schema.ts';
import { Settler } from './settle.ts';
import { Refused, Streams } from './streams.ts';

type Handlers = { readonly [K in Exclude<CallName, 'open'>]: (argument: Calls[K]['argument']) => Calls[K]['result'] };
type ChangeHandlers = { readonly [K in ChangeName]: (argument: Changes[K]['argument']) => Changes[K]['result'] };

export class JournalFile {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #streams: Streams;
  readonly #appender: Appender;
  readonly #handlers: Handlers;
  readonly #changes: ChangeHandlers;
  readonly #pages;
  readonly #freePages;
  readonly #pageSize: number;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#pages = db.prepare('PRAGMA page_count');
    this.#freePages = db.prepare('PRAGMA freelist_count');
    this.#pageSize = Number(db.prepare('PRAGMA page_size').get()?.page_size);
    const streams = new Streams(db);
    const appender = new Appender(db, streams);
    const routes = new Routes(db, streams);
    const parked = new ParkedTable(db, streams, routes);
    const settler = new Settler(db, { streams, routes, parked });
    const expiry = new Expiry(db, { streams, routes, parked, settler, appender });
    const reader = new Reader(db, streams);
    this.#streams = streams;
    this.#appender = appender;
    this.#changes = {
      append: (argument) => appender.append(argument),
      settle: (argument) => settler.settle(argument),
      openRoute: (argument) => routes.open(argument),
      closeRoutes: (argument) => routes.close(argument),
      expire: (argument) => expiry.expire(argument),
      expireParked: (argument) => expiry.expireParked(argument),
      barrier: () => undefined,
      trim: () => ({ steps: 0, deadLetters: 0, states: [], holders: [] }),
    };
    const oldest = db.prepare('SELECT appended_at FROM records ORDER BY id LIMIT 1');
    const gaps = db.prepare("SELECT count(*) AS count FROM records WHERE kind = 'gap'");
    this.#handlers = {
      commit: (changes) => this.#commit(changes),
      read: (argument) => reader.read(argument),
      parked: (argument) => parked.pending(argument),
      deadLetters: (argument) => parked.deadLetters(argument),
      parkedLanes: (argument) => parked.lanes(argument),
      routes: () => routes.all(),
      missing: (argument) => expiry.missing(argument),
      stats: () => {
        const appendedAt = oldest.get()?.appended_at;
        return {
          oldestAppendedAt: appendedAt === undefined ? undefined : Number(appendedAt),
          gaps: Number(gaps.get()?.count),
        };
      },
      close: () => {
        db.close();
        return undefined;
      },
    };
  }

  answer<K extends keyof Handlers>({ kind, argument }: Call<K>): Calls[K]['result'] {
    const handler: (argument: Calls[K]['argument']) => Calls[K]['result'] = this.#handlers[kind];
    return handler(argument);
  }

  opened(): Calls['open']['result'] {
    const states = this.#streams
      .all()
      .map((stream) => ({ state: stream.state, hidden: this.#appender.hidden(stream) }));
    return { kind: 'open', states, usage: this.usage() };
  }

  usage(): Usage {
    const pages = Number(this.#pages.get()?.page_count) - Number(this.#freePages.get()?.freelist_count);
    const wal = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { records: this.#appender.records, bytes: pages * this.#pageSize + wal };
  }

  /**
   * All of them in one transaction. On a full disk everything but the appends is tried once more without them, for a
   * cursor needs less room than what it lets retention delete.
   */
  #commit(changes: readonly Change[]): Calls['commit']['result'] {
    const replies =
      this.#transact(changes) ??
      this.#transact(changes, 'append') ??
      changes.map((): ChangeReply => ({ kind: 'no-room' }));
    return { replies, usage: this.usage() };
  }

  /** Undefined when the disk is full, and nothing of it is kept. */
  #transact(changes: readonly Change[], without?: ChangeName): ChangeReply[] | undefined {
    const records = this.#appender.records;
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const replies = changes.map(
        (change): ChangeReply => (change.kind === without ? { kind: 'no-room' } : this.#perform(change)),
      );
      this.#db.exec('COMMIT');
      return replies;
    } catch (error) {
      if (resultCode(error) !== FULL) throw error;
      // SQLite may have rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#appender.records = records;
      return undefined;
    }
  }

  #perform<K extends ChangeName>({ kind, argument }: Change<K>): ChangeReply {
    const handler: (argument: Changes[K]['argument']) => Changes[K]['result'] = this.#changes[kind];
    try {
      return { kind: 'done', result: handler(argument) };
    } catch (error) {
      if (error instanceof Refused) return { kind: 'refused', why: error.message };
      throw error;
    }
  }
}
