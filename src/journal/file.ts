/** The worker's side of the journal: the one SQLite connection, and everything that works on it. */

import type { DatabaseSync } from 'node:sqlite';
import { failpoint } from '../failpoint.ts';
import { Appender } from './append.ts';
import { DeadLetterFinder } from './dead-letter-finder.ts';
import { DeadLetters } from './dead-letters.ts';
import { Expiry } from './expire.ts';
import { FULL, resultCode } from './failure.ts';
import { Finder } from './finder.ts';
import { Holders } from './holders.ts';
import { Missing } from './missing.ts';
import { OpenFiles } from './open-files.ts';
import { ParkedTable } from './parked.ts';
import { PassedOver } from './passed-over.ts';
import type { Call, CallName, Calls, Change, ChangeName, ChangeReply, Changes, Usage } from './protocol.ts';
import { Reader } from './read.ts';
import { Records } from './records.ts';
import { Register } from './register.ts';
import { RemovedRoutes } from './removed-routes.ts';
import { Replay } from './replay.ts';
import { ReplayEnds } from './replay-ends.ts';
import { Reserve } from './reserve.ts';
import { Retention } from './retention.ts';
import { Routes } from './routes.ts';
import { Settler } from './settle.ts';
import { Refused, Streams } from './streams.ts';
import { Trails } from './trails.ts';

type Handlers = { readonly [K in Exclude<CallName, 'open'>]: (argument: Calls[K]['argument']) => Calls[K]['result'] };
type Opened = Extract<Calls['open']['result'], { kind: 'open' }>;
type ChangeHandlers = { readonly [K in ChangeName]: (argument: Changes[K]['argument']) => Changes[K]['result'] };

export class JournalFile {
  readonly #db: DatabaseSync;
  readonly #files: OpenFiles;
  readonly #reserve: Reserve;
  readonly #streams: Streams;
  readonly #records: Records;
  readonly #parked: ParkedTable;
  readonly #appender: Appender;
  readonly #handlers: Handlers;
  readonly #changes: ChangeHandlers;
  readonly #pages;
  readonly #freePages;
  readonly #pageSize: number;

  constructor(db: DatabaseSync, { path, maxBytes, maxDeadLetters }: Calls['open']['argument']) {
    this.#db = db;
    this.#files = new OpenFiles(path);
    this.#reserve = new Reserve(path, maxBytes);
    this.#pages = db.prepare('PRAGMA page_count');
    this.#freePages = db.prepare('PRAGMA freelist_count');
    this.#pageSize = Number(db.prepare('PRAGMA page_size').get()?.page_size);
    const streams = new Streams(db);
    const records = new Records(db);
    const passedOver = new PassedOver(db);
    const replayEnds = new ReplayEnds(db);
    const routes = new Routes(db, { streams, records, passedOver, replayEnds });
    const parked = new ParkedTable(db, { streams, routes, records, passedOver });
    const settler = new Settler(db, { streams, routes, parked });
    const most = maxDeadLetters ?? Number.POSITIVE_INFINITY;
    const deadLetters = new DeadLetters(db, { routes, parked, settler }, most);
    const appender = new Appender({ streams, records });
    const missing = new Missing(db, { streams, routes, replayEnds });
    const expiry = new Expiry(db, { streams, routes, parked, settler, records, passedOver });
    const removed = new RemovedRoutes(db, { parked, settler, passedOver, replayEnds });
    const replay = new Replay(db, { streams, routes, records, passedOver, replayEnds });
    const holders = new Holders(db, { streams, routes, deadLetters, records, replayEnds });
    const room = { isOver: () => this.usage().bytes > maxBytes, isScarce: () => this.#isScarce() };
    const tables = { streams, routes, records, parked, deadLetters, removed, holders, passedOver, room };
    const retention = new Retention(db, tables);
    const reader = new Reader(db, streams);
    const finder = new Finder(db, streams);
    const deadLetterFinder = new DeadLetterFinder(db, streams);
    const trails = new Trails(db, { streams, routes, passedOver, replayEnds });
    const register = new Register(db, streams);
    this.#streams = streams;
    this.#records = records;
    this.#parked = parked;
    this.#appender = appender;
    this.#changes = {
      append: (argument) => appender.append(argument),
      settle: (argument) => settler.settle(argument),
      openRoute: (argument) => routes.open(argument),
      closeRoutes: (argument) => routes.close(argument),
      expire: (argument) => expiry.expire(argument),
      expireParked: (argument) => expiry.expireParked(argument),
      replay: (argument) => replay.replay(argument),
      revive: (argument) => deadLetters.revive(argument),
      drop: (argument) => deadLetters.drop(argument),
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
      findDeadLetters: (argument) => deadLetterFinder.find(argument),
      deadLetterRecord: (argument) => deadLetterFinder.record(argument),
      revived: (argument) => parked.revived(argument),
      parkedLanes: (argument) => parked.lanes(argument),
      find: (argument) => finder.find(argument),
      trails: (argument) => trails.of(argument),
      gaps: (argument) => finder.gaps(argument),
      routes: () => routes.all(),
      missing: (argument) => missing.of(argument),
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

  opened(): Pick<Opened, 'kind' | 'states' | 'usage'> {
    const states = this.#streams
      .all()
      .map((stream) => ({ state: stream.state, hidden: this.#appender.hidden(stream) }));
    return { kind: 'open', states, usage: this.usage() };
  }

  usage(): Usage {
    const bytes =
      Number(this.#pages.get()?.page_count) * this.#pageSize - this.#freeBytes() + this.#files.check().walBytes;
    const disk = this.#reserve.whole ? 'ok' : 'reserve-used';
    return { records: this.#records.count, bytes, disk, deadLetters: this.#parked.dead.total };
  }

  #freeBytes(): number {
    return Number(this.#freePages.get()?.freelist_count) * this.#pageSize;
  }

  /**
   * All of them in one transaction. Appends wait while the reserve is in use: until it is whole again, or until
   * retention has made as much room within the file.
   */
  #commit(changes: readonly Change[]): Calls['commit']['result'] {
    const mayAppend = this.#reserve.restore() || this.#ownBytes() >= this.#reserve.size;
    const replies = (mayAppend ? this.#transact(changes) : undefined) ?? this.#commitWithoutAppends(changes);
    // What was written to files that are gone is not acknowledged.
    return { replies, usage: this.usage() };
  }

  /** On a full disk, from the reserve if there is no other room: a cursor needs less than it lets retention delete. */
  #commitWithoutAppends(changes: readonly Change[]): ChangeReply[] {
    do {
      const replies = this.#transact(changes, 'append');
      if (replies) return replies;
    } while (this.#reserve.release());
    return changes.map(
      ({ kind }): ChangeReply => (kind === 'barrier' ? { kind: 'done', result: undefined } : { kind: 'no-room' }),
    );
  }

  /** Room that nobody else can take. */
  #ownBytes(): number {
    return this.#reserve.held + this.#freeBytes();
  }

  #isScarce(): boolean {
    return !this.#reserve.whole && this.#ownBytes() < this.#reserve.size / 2;
  }

  /** Undefined when the disk is full, and nothing of it is kept. */
  #transact(changes: readonly Change[], without?: ChangeName): ChangeReply[] | undefined {
    try {
      failpoint('journal.committing');
      this.#db.exec('BEGIN IMMEDIATE');
      const replies = changes.map(
        (change): ChangeReply => (change.kind === without ? { kind: 'no-room' } : this.#perform(change)),
      );
      this.#records.addUp();
      failpoint('journal.written');
      this.#db.exec('COMMIT');
      this.#records.committed();
      failpoint('journal.committed');
      return replies;
    } catch (error) {
      if (resultCode(error) !== FULL) throw error;
      // SQLite may have rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#records.rolledBack();
      this.#parked.dead.recount();
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
