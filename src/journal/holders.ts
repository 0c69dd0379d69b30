import type { DatabaseSync } from 'node:sqlite';
import { type Cursor, compareCursors } from '../envelope/position.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Holder, TrimResult } from './protocol.ts';
import { cursorOf, type Records } from './records.ts';
import type { ReplayEnds } from './replay-ends.ts';
import type { HoldingRoute, Routes } from './routes.ts';
import { ROUTE_GAPS, type Stream, type Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

interface Tables {
  readonly streams: Streams;
  readonly routes: Routes;
  readonly records: Records;
  readonly replayEnds: ReplayEnds;
  readonly deadLetters: DeadLetters;
}

/** Something that holds the journal's oldest records: a route's cursor, its parked messages, or the dead letters. */
interface Hold {
  readonly appendedAt: number;
  readonly find: () => Pick<TrimResult, 'steps' | 'dropped' | 'holders'>;
}

/**
 * When the journal is full and nothing lies behind all cursors: who holds the oldest record, and what must be let go of
 * to free about a tenth. The age of the records decides, so that a route which lags by seconds never pays for one whose
 * broker has been away for a day. Parked messages and dead letters count only when there are so many that it helps: a
 * few old ones are worth more than the room that they take.
 */
export class Holders {
  readonly #tables: Tables;
  readonly #first;
  readonly #nth;
  readonly #oldestParked;
  readonly #nthParked;
  readonly #counts;
  readonly #oldestDead;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    const range = 'FROM records WHERE stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)';
    const order = 'ORDER BY epoch, position LIMIT 1';
    this.#first = db.prepare(`SELECT epoch, position, appended_at ${range} ${order}`);
    this.#nth = db.prepare(`SELECT epoch, position ${range} ${order} OFFSET ?`);
    const joined = 'FROM parked p JOIN records r USING (stream, epoch, position)';
    this.#oldestParked = db.prepare(
      `SELECT p.stream, r.appended_at ${joined} JOIN streams s ON s.id = p.stream
       WHERE p.route = ? AND p.state <> 'dead' AND s.name <> ? ORDER BY p.id LIMIT 1`,
    );
    this.#nthParked = db.prepare(
      `SELECT epoch, position FROM parked INDEXED BY parked_place
       WHERE stream = ? AND route = ? AND state <> 'dead' ${order} OFFSET ?`,
    );
    this.#counts = db.prepare(
      "SELECT (SELECT count(*) FROM parked WHERE state = 'dead') AS dead, (SELECT count(*) FROM parked) AS total",
    );
    this.#oldestDead = db.prepare(`SELECT r.appended_at ${joined} WHERE p.state = 'dead' ORDER BY p.id LIMIT 1`);
  }

  /** `tenth`: about how many records must go. */
  find(tenth: number): TrimResult {
    const routes = this.#tables.routes.holding();
    const { pending, dead } = this.#parkedCounts();
    const byCursors = this.#tables.streams.all().flatMap((stream) => this.#byCursors(stream, routes, tenth));
    const byParked = routes.flatMap((route) => this.#byParked(route, tenth));
    const byDeadLetters = this.#byDeadLetters();
    const [oldest] = [
      ...byCursors,
      ...(pending >= tenth || byCursors.length === 0 ? byParked : []),
      ...(dead >= tenth ? byDeadLetters : []),
    ].sort((a, b) => a.appendedAt - b.appendedAt);
    return { floors: [], ...(oldest?.find() ?? nothingBut([])) };
  }

  #byCursors(stream: Stream, routes: readonly HoldingRoute[], tenth: number): Hold[] {
    const { id, state, trimmed } = stream;
    const visible = visibleEnd(state);
    const row = this.#first.get(id, trimmed.epoch, trimmed.position, visible.epoch, visible.position);
    if (!row) return [];
    return [
      { appendedAt: Number(row.appended_at), find: () => nothingBut(this.#cursorHolders(stream, routes, tenth)) },
    ];
  }

  /** Who has not read the stream's oldest record; `upTo` is never beyond a route that must not lose anything. */
  #cursorHolders(stream: Stream, routes: readonly HoldingRoute[], tenth: number): Holder[] {
    const visible = visibleEnd(stream.state);
    const { epoch, position } = stream.trimmed;
    const first = this.#first.get(stream.id, epoch, position, visible.epoch, visible.position);
    const nth = this.#nth.get(stream.id, epoch, position, visible.epoch, visible.position, tenth);
    const { replayEnds } = this.#tables;
    // What a replay has not sent again has been sent: it may go whatever the policy, and stops no intake.
    const cursors = routes.map((route) => {
      const cursor = this.#tables.routes.cursor(route.id, stream.id);
      return { ...route, cursor, replayEnd: replayEnds.at(route.id, stream.id)?.end };
    });
    const safe = cursors.filter(({ atQuota }) => atQuota !== 'expire').map((one) => one.replayEnd ?? one.cursor);
    const newest = nth ? cursorOf(nth) : this.#tables.records.newest(stream.id, visible);
    const upTo = lowest([newest ?? visible, ...safe]);
    const behind = cursors.filter(({ cursor }) => first && compareCursors(cursor, cursorOf(first)) < 0);
    const firm = behind.filter(({ atQuota, replayEnd }) => atQuota !== 'expire' && replayEnd === undefined);
    return (firm.length > 0 ? firm : behind).map(({ route, atQuota, replayEnd }) => {
      return { route, atQuota: replayEnd ? 'expire' : atQuota, stream: stream.state.stream, upTo };
    });
  }

  #byParked({ id, route, atQuota }: HoldingRoute, tenth: number): Hold[] {
    const row = this.#oldestParked.get(id, ROUTE_GAPS);
    if (!row) return [];
    const stream = this.#tables.streams.withId(Number(row.stream));
    const find = () => {
      const nth = this.#nthParked.get(stream.id, id, tenth);
      const cursor = this.#tables.routes.cursor(id, stream.id);
      const upTo = nth ? lowest([cursorOf(nth), cursor]) : cursor;
      return nothingBut([{ route, atQuota, stream: stream.state.stream, upTo }]);
    };
    return [{ appendedAt: Number(row.appended_at), find }];
  }

  #parkedCounts(): { readonly pending: number; readonly dead: number } {
    const { dead = 0, total = 0 } = this.#counts.get() ?? {};
    return { pending: Number(total) - Number(dead), dead: Number(dead) };
  }

  #byDeadLetters(): Hold[] {
    const row = this.#oldestDead.get();
    if (!row) return [];
    const find = () => {
      const full = this.#tables.deadLetters.dropOldest();
      return { steps: full, dropped: { full, beyondLimit: 0 }, holders: [] };
    };
    return [{ appendedAt: Number(row.appended_at), find }];
  }
}

function nothingBut(holders: readonly Holder[]) {
  return { steps: 0, dropped: { full: 0, beyondLimit: 0 }, holders };
}

function lowest([first, ...others]: [Cursor, ...Cursor[]]): Cursor {
  return others.reduce((low, cursor) => (compareCursors(cursor, low) < 0 ? cursor : low), first);
}
