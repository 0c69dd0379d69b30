/** The worker's side of the journal: the one SQLite connection, and everything that works on it. */

import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { failpoint } from '../failpoint.ts';
import { Appender } from './append.ts';
import { Expiry } from './expire.ts';
import { FULL, resultCode } from './failure.ts';
import { Finder } from './finder.ts';
import { Holders } from './holders.ts';
import { ParkedTable } from './parked.ts';
import { PassedOver } from './passed-over.ts';
import type { Call, CallName, Calls, Change, ChangeName, ChangeReply, Changes, Usage } from './protocol.ts';
import { Reader } from './read.ts';
import { Records } from './records.ts';
import { Register } from './register.ts';
import { RemovedRoutes } from './removed-routes.ts';
import { Retention } from './retention.ts';
import { Routes } from './routes.ts';
import { Settler } from './settle.ts';
import { Refused, Streams } from './streams.ts';
import { Trails } from './trails.ts';

type Handlers = { readonly [K in Exclude<CallName, 'open'>]: (argument: Calls[K]['argument']) => Calls[K]['result'] };
type ChangeHandlers = { readonly [K in ChangeName]: (argument: Changes[K]['argument']) => Changes[K]['result'] };

export class JournalFile {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #streams: Streams;
  readonly #records: Records;
  readonly #appender: Appender;
  readonly #handlers: Handlers;
  readonly #changes: ChangeHandlers;
  readonly #pages;
  readonly #freePages;
  readonly #pageSize: number;

  constructor(db: DatabaseSync, { path, maxBytes }: { readonly path: string; readonly maxBytes: number }) {
    this.#db = db;
    this.#path = path;
    this.#pages = db.prepare('PRAGMA page_count');
    this.#freePages = db.prepare('PRAGMA freelist_count');
    this.#pageSize = Number(db.prepare('PRAGMA page_size').get()?.page_size);
    const streams = new Streams(db);
    const records = new Records(db);
    const passedOver = new PassedOver(db);
    const routes = new Routes(db, { streams, records, passedOver });
    const parked = new ParkedTable(db, { streams, routes, records, passedOver });
    const settler = new Settler(db, { streams, routes, parked });
    const appender = new Appender({ streams, records });
    const expiry = new Expiry(db, { streams, routes, parked, settler, records, passedOver });
    const removed = new RemovedRoutes(db, { parked, settler, passedOver });
    const holders = new Holders(db, { streams, routes, parked, records });
    const usage = () => this.usage();
    const retention = new Retention(db, {
      streams,
      routes,
      records,
      parked,
      removed,
      holders,
      passedOver,
      maxBytes,
      usage,
    });
    const reader = new Reader(db, streams);
    const finder = new Finder(db, streams);
    const trails = new Trails(db, { streams, routes, passedOver });
    const register = new Register(db, streams);
    this.#streams = streams;
    this.#records = records;
    this.#appender = appender;
    this.#changes = {
      append: (argument) => appender.append(argument),
      settle: (argument) => settler.settle(argument),
      openRoute: (argument) => routes.open(argument),
      closeRoutes: (argument) => routes.close(argument),
      expire: (argument) => expiry.expire(argument),
      expireParked: (argument) => expiry.expireParked(argument),
      barrier: () => undefined,
      trim: (argument) => retention.step(argument),
    };
    const oldest = db.prepare('SELECT appended_at FROM records ORDER BY id LIMIT 1');
    const gaps = db.prepare("SELECT count(*) AS count FROM records WHERE kind = 'gap'");
    this.#handlers = {
      commit: (changes) => this.#commit(changes),
      read: (argument) => reader.read(argument),
      lookUp: (argument) => register.lookUp(argument),
      parked: (argument) => parked.pending(argument),
      deadLetters: (argument) => parked.deadLetters(argument),
      parkedLanes: (argument) => parked.lanes(argument),
      find: (argument) => finder.find(argument),
      trails: (argument) => trails.of(argument),
      gaps: (argument) => finder.gaps(argument),
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
        failpoint('journal.closing');
        db.close();
        failpoint('journal.closed');
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
    return { records: this.#records.count, bytes: pages * this.#pageSize + wal };
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
    const { count } = this.#records;
    try {
      failpoint('journal.committing');
      this.#db.exec('BEGIN IMMEDIATE');
      const replies = changes.map(
        (change): ChangeReply => (change.kind === without ? { kind: 'no-room' } : this.#perform(change)),
      );
      failpoint('journal.written');
      this.#db.exec('COMMIT');
      failpoint('journal.committed');
      return replies;
    } catch (error) {
      if (resultCode(error) !== FULL) throw error;
      // SQLite may have rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#records.count = count;
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
