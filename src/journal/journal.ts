import { setImmediate as immediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { gapRecord } from '../envelope/gap.ts';
import type { Cursor, StreamName } from '../envelope/position.ts';
import { Commits } from './commits.ts';
import { type DeadLetterDoors, DeadLetterOffice } from './dead-letter-office.ts';
import type { OwnerNote } from './file-system.ts';
import { Growth } from './growth.ts';
import type { Link } from './link.ts';
import { packRecords, rowOf, unpackPage } from './packed-records.ts';
import { PaperTrail } from './paper-trail.ts';
import type { Journal, JournalOptions, JournalStats } from './port.ts';
import type { AppendResult, Calls, Limit, ParkedRows, SettleArgument, Usage } from './protocol.ts';
import { RecentPages } from './recent-pages.ts';
import type {
  Append,
  Appended,
  JournalRecord,
  LookUp,
  NewRecord,
  ParkedMessage,
  ReplayAnswer,
  ReplayFrom,
  RouteName,
  RouteState,
  Settlement,
  StreamState,
} from './record.ts';
import { TailRing } from './ring.ts';
import { Upkeep, type UpkeepOptions } from './upkeep.ts';
import { higher } from './watermark.ts';

export interface Settings extends JournalOptions {
  readonly cluster: string;
  readonly log: Logger;
  readonly ringBytes?: number;
  /** Nothing is deleted by age, and no route is taken for removed: no daemon runs on it. */
  readonly idle?: boolean;
}

const RING_BYTES = 4 * 1024 * 1024;
/** A route of the file that has not been opened by then is no longer in the config, and holds nothing back. */
const GRACE_MS = 60_000;
/** How long a full disk may hold up the end. */
const CLOSE_MS = 3_000;
/** A page that the worker reads between two commits. */
const PAGE: Limit = { records: 1_000, bytes: 1024 * 1024 };
const RECENT_PAGES = 4;

/** The daemon's side: the streams' states, the tail, and what waits for a commit; the file is the worker's. */
export class SqliteJournal implements Journal {
  readonly #settings: Settings;
  readonly #link: Link;
  readonly #note: OwnerNote;
  readonly #commits: Commits;
  readonly #ring: TailRing;
  readonly #pages = new RecentPages({ pages: RECENT_PAGES, bytes: PAGE.bytes });
  readonly #states = new Map<StreamName, StreamState>();
  readonly #listeners = new Set<() => void>();
  readonly #upkeep: Upkeep;
  readonly #opened = new Set<RouteName>();
  readonly deadLetters: DeadLetterOffice;
  readonly paperTrail = new PaperTrail((kind, argument) => this.#ask(kind, argument));
  #usage: Usage;
  readonly #growth = new Growth();
  #duplicates = 0;
  readonly #grace: NodeJS.Timeout | undefined;
  #advanced: NodeJS.Immediate | undefined;
  /** The one read under way: who lags waits for a turn here, and not in the worker, before the next commit. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(settings: Settings, link: Link, opened: Opened, note: OwnerNote) {
    this.#settings = settings;
    this.#link = link;
    this.#note = note;
    this.#usage = opened.usage;
    this.#ring = new TailRing(settings.ringBytes ?? RING_BYTES);
    for (const { state, hidden } of opened.states) this.#follow(state, [], hidden);
    this.#commits = new Commits(link, settings.log, (usage) => {
      this.#usage = usage;
      this.#growth.note(usage.bytes, performance.now());
      this.#upkeep.committed(usage);
    });
    const ask: DeadLetterDoors['ask'] = (kind, argument) => this.#ask(kind, argument);
    this.deadLetters = new DeadLetterOffice({ ask, commits: this.#commits, log: settings.log });
    const onTrim: UpkeepOptions['onTrim'] = (floors) => {
      this.#pages.clear();
      for (const { stream, floor } of floors) {
        const state = this.#states.get(stream);
        if (state) this.#states.set(stream, { ...state, floor: higher(state.floor, floor) });
      }
    };
    this.#upkeep = new Upkeep({ ...settings, commits: this.#commits, onTrim });
    this.#upkeep.committed(opened.usage);
    if (settings.idle) this.#upkeep.end();
    else this.#grace = setTimeout(() => this.#closeOthers().catch(() => {}), GRACE_MS).unref();
  }

  async streams(): Promise<readonly StreamState[]> {
    return [...this.#states.values()];
  }

  async append(append: Append, signal: AbortSignal): Promise<Appended> {
    await this.#commits.room(signal);
    const appendedAt = Date.now();
    const records = packRecords(append.records.map(rowOf));
    const bytes = records.bytes.length + append.records.length * ROW_BYTES;
    const argument = { state: append.state, records, appendedAt };
    const result = await this.#commits.submit('append', argument, { bytes, signal });
    return this.#appended(append, result, appendedAt);
  }

  async read(stream: StreamName, after: Cursor, limit: Limit): Promise<readonly JournalRecord[]> {
    const tail = this.#ring.read(stream, after, limit);
    if (tail) return tail;
    const page = { records: Math.min(limit.records, PAGE.records), bytes: Math.min(limit.bytes, PAGE.bytes) };
    const turn = this.#reading.then(async () => {
      const kept = this.#pages.read(stream, after, limit);
      // One page may be for a thousand routes: whoever waits for input or output has a turn between two of them.
      if (kept) return immediate(kept);
      const records = unpackPage(await this.#link.call('read', { stream, after, limit: page }));
      this.#pages.keep({ stream, after, records });
      return records;
    });
    this.#reading = turn.catch(() => {});
    return turn;
  }

  async lookUp(stream: StreamName, revisions: readonly NewRecord[], signal: AbortSignal): Promise<readonly LookUp[]> {
    await this.#commits.flushed(signal);
    const asked = revisions.map(({ position, attributes: { id } }) => ({ position, id }));
    return this.#link.call('lookUp', { stream, revisions: asked });
  }

  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async openRoute(route: RouteName, options: Parameters<Journal['openRoute']>[1]): Promise<RouteState> {
    this.#opened.add(route);
    const { state, lost } = await this.#commits.submit('openRoute', { route, ...options });
    if (lost.length === 0) return state;
    // It had been removed, and retention has not waited for it: that is a gap like any other.
    for (const { stream, upTo } of lost) await this.#passOver(route, stream, upTo);
    return this.openRoute(route, options);
  }

  async closeRoute(route: RouteName): Promise<void> {
    this.#opened.delete(route);
    await this.#closeOthers();
  }

  async settle(settlement: Settlement): Promise<void> {
    const bytes = settlement.receipts.length * RECEIPT_BYTES + settlement.parked.length * ROW_BYTES;
    await this.#commits.submit('settle', settleArgument(settlement), { bytes });
  }

  async parked(
    route: RouteName,
    of: Parameters<Journal['parked']>[1],
    limit: number,
  ): Promise<readonly ParkedMessage[]> {
    const { destination, key, after = 0, firstOfEachKeyBehind } = of;
    const argument = { route, destination, key, after, firstOfEachKeyBehind, limit };
    return parkedMessages(await this.#ask('parked', argument));
  }

  parkedLanes(route: RouteName): ReturnType<Journal['parkedLanes']> {
    return this.#ask('parkedLanes', route);
  }

  async revived(route: RouteName, after: number, limit: number): Promise<readonly ParkedMessage[]> {
    return parkedMessages(await this.#ask('revived', { route, after, limit }));
  }

  onRevived(route: RouteName, listener: () => void): () => void {
    return this.deadLetters.onRevived(route, listener);
  }

  onQuota(route: RouteName, listener: (stream: StreamName, upTo: Cursor) => void): () => void {
    return this.#upkeep.listen(route, listener);
  }

  async expire(route: RouteName, stream: StreamName, upTo: Cursor): ReturnType<Journal['expire']> {
    const { expired, cursor } = await this.#passOver(route, stream, upTo);
    let all = expired;
    let step: number;
    do {
      step = await this.#commits.submit('expireParked', { route, stream, upTo });
      all += step;
    } while (step > 0);
    this.#upkeep.expired(route, stream);
    return { expired: all, cursor };
  }

  /** What is parked there stays. */
  async #passOver(route: RouteName, stream: StreamName, upTo: Cursor): ReturnType<Journal['expire']> {
    const { gaps = [], again = false } = (await this.#ask('missing', { route, stream, upTo })) ?? {};
    const { cluster } = this.#settings;
    const now = new Date();
    const records = gaps.map((gap) => gapRecord({ cluster, stream, ...gap, again, recovered: 0, now }));
    const argument = { route, stream, upTo, gaps: packRecords(records.map(rowOf)), now: now.getTime() };
    return this.#commits.submit('expire', argument);
  }

  replay(route: RouteName, from: ReplayFrom): Promise<ReplayAnswer> {
    return this.#commits.submit('replay', { route, from, now: Date.now() });
  }

  routes(): ReturnType<Journal['routes']> {
    return this.#ask('routes', undefined);
  }

  async stats(): Promise<JournalStats> {
    const { oldestAppendedAt, gaps } = await this.#ask('stats', undefined);
    const { maxBytes: quotaBytes, maxDeadLetters = Number.POSITIVE_INFINITY } = this.#settings;
    const { bytes } = this.#usage;
    const { count: commits } = this.#commits;
    const hoursToQuota = this.#growth.hoursUntil(quotaBytes, { at: performance.now(), bytes });
    const duplicates = this.#duplicates;
    return { ...this.#usage, maxDeadLetters, quotaBytes, oldestAppendedAt, gaps, commits, duplicates, hoursToQuota };
  }

  /** What was submitted is committed; appends that are held back are rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearImmediate(this.#advanced);
    clearTimeout(this.#grace);
    this.#upkeep.end();
    await this.#commits.flushed(AbortSignal.timeout(CLOSE_MS)).catch(() => {});
    this.#commits.end(new Error('the journal is closed'));
    try {
      await this.#link.close();
    } finally {
      this.#note.remove();
    }
  }

  async #closeOthers(): Promise<void> {
    await this.#commits.submit('closeRoutes', { keep: [...this.#opened], now: Date.now() });
  }

  /** A question is asked when all that was changed before it is committed. */
  async #ask<K extends keyof Calls>(kind: K, argument: Calls[K]['argument']): Promise<Calls[K]['result']> {
    await this.#commits.flushed();
    return this.#link.call(kind, argument);
  }

  #appended({ records }: Append, { state, fresh, hidden }: AppendResult, appendedAt: number): Appended {
    const { stream, epoch } = state;
    const added: JournalRecord[] = [];
    for (const [at, record] of records.entries()) {
      if (fresh[at] === 1) added.push({ ...record, stream, epoch, appendedAt, intact: true });
    }
    this.#duplicates += records.length - added.length;
    this.#follow(state, added, hidden);
    return { state, inserted: added.length };
  }

  #follow(state: StreamState, added: readonly JournalRecord[], hidden: boolean): void {
    const before = this.#states.get(state.stream);
    this.#states.set(state.stream, state);
    if (!this.#ring.advance(state, added, hidden)) this.#pages.clear();
    if (before?.epoch === state.epoch && before.rv === state.rv && added.length === 0) return;
    this.#advanced ??= setImmediate(() => {
      this.#advanced = undefined;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

type Opened = Extract<Calls['open']['result'], { kind: 'open' }>;

/** Roughly what a record takes beside its data, and what a receipt takes. */
const ROW_BYTES = 1_024;
const RECEIPT_BYTES = 128;

function settleArgument(settlement: Settlement): SettleArgument {
  const { receipts, parked } = settlement;
  return {
    ...settlement,
    receipts: receipts.map(({ stream, cursor: { epoch, position }, deliveredAt, receipt }) => {
      return [stream, epoch, position, deliveredAt, JSON.stringify(receipt)];
    }),
    parked: parked.map(({ stream, cursor: { epoch, position }, ...row }) => {
      const { destination, key, state, reason, detail, parkedAt, replay } = row;
      return [stream, epoch, position, destination, key, state, reason, detail, parkedAt, replay];
    }),
  };
}

function parkedMessages({ rows, page }: ParkedRows): ParkedMessage[] {
  const records = unpackPage(page);
  return rows.flatMap((row, at) => {
    const record = records[at];
    return record ? { ...row, record } : [];
  });
}
