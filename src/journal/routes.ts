import type { DatabaseSync } from 'node:sqlite';
import {
  type Cursor,
  compareCursors,
  ORIGIN,
  type Position,
  positionOf,
  type StreamName,
} from '../envelope/position.ts';
import { Lag } from './lag.ts';
import type { PassedOver } from './passed-over.ts';
import type { Changes } from './protocol.ts';
import type { RouteName, RouteState } from './record.ts';
import { cursorOf, type Records } from './records.ts';
import type { ReplayEnds } from './replay-ends.ts';
import { demandFit, fits } from './seal.ts';
import { Refused, type Stream, type Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

type Row = Record<string, unknown>;

export interface HoldingRoute {
  readonly id: number;
  readonly route: RouteName;
  /** `unknown` until the running daemon has opened it. */
  readonly atQuota: 'expire' | 'block' | 'unknown';
}

interface Tables {
  readonly streams: Streams;
  readonly records: Records;
  readonly passedOver: PassedOver;
  readonly replayEnds: ReplayEnds;
}

/** The routes' rows and cursors. A route with `closed_at` holds nothing back. */
export class Routes {
  /** What the running daemon has opened, and the policy of each, by the route's id. */
  readonly policies = new Map<number, 'expire' | 'block'>();
  readonly #streams: Streams;
  readonly #records: Records;
  readonly #passedOver: PassedOver;
  readonly #replayEnds: ReplayEnds;
  readonly #byName;
  readonly #all;
  readonly #insert;
  readonly #reopen;
  readonly #close;
  readonly #pending;
  readonly #dead;
  readonly #cursors;
  readonly #cursor;
  readonly #move;
  readonly #lowest;
  readonly #back;
  readonly #nextReplay;
  readonly #lag: Lag;
  readonly #waiting;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#streams = tables.streams;
    this.#records = tables.records;
    this.#passedOver = tables.passedOver;
    this.#replayEnds = tables.replayEnds;
    this.#lag = new Lag(db, tables.streams);
    this.#byName = db.prepare('SELECT * FROM routes WHERE name = ?');
    this.#all = db.prepare('SELECT * FROM routes ORDER BY id');
    this.#insert = db.prepare('INSERT INTO routes (name) VALUES (?)');
    this.#reopen = db.prepare('UPDATE routes SET closed_at = NULL WHERE id = ?');
    this.#close = db.prepare('UPDATE routes SET closed_at = ? WHERE id = ? AND closed_at IS NULL');
    this.#pending = db.prepare("SELECT count(*) AS count FROM parked WHERE route = ? AND state <> 'dead'");
    this.#dead = db.prepare("SELECT count(*) AS count FROM parked WHERE route = ? AND state = 'dead'");
    const cursors = `SELECT stream, epoch, position, ${fits('cursors')} AS fits FROM cursors`;
    this.#cursors = db.prepare(`${cursors} WHERE route = ?`);
    this.#cursor = db.prepare(`${cursors} WHERE route = ? AND stream = ?`);
    this.#move = db.prepare(
      `INSERT INTO cursors (route, stream, epoch, position) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET epoch = excluded.epoch, position = excluded.position
       WHERE (excluded.epoch, excluded.position) > (epoch, position)`,
    );
    this.#back = db.prepare('UPDATE cursors SET epoch = ?, position = ? WHERE route = ? AND stream = ?');
    this.#nextReplay = db.prepare('UPDATE routes SET replays = replays + 1 WHERE id = ? RETURNING replays');
    this.#waiting = db.prepare(
      `SELECT appended_at FROM records
       WHERE stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)
       ORDER BY epoch, position LIMIT 1`,
    );
    this.#lowest = db.prepare(
      `SELECT c.epoch, c.position FROM routes r LEFT JOIN cursors c ON c.route = r.id AND c.stream = ?
       WHERE r.closed_at IS NULL ORDER BY c.epoch, c.position LIMIT 1`,
    );
  }

  /** Its id, and whether it is in the config. */
  find(route: RouteName): { readonly id: number; readonly removed: boolean } | undefined {
    const row = this.#byName.get(route);
    return row && { id: Number(row.id), removed: row.closed_at !== null };
  }

  need(route: RouteName): number {
    const row = this.#byName.get(route);
    if (!row) throw new Refused(`route ${route} has not been opened`);
    return Number(row.id);
  }

  open({ route, startFrom, atQuota }: Changes['openRoute']['argument']): Changes['openRoute']['result'] {
    const known = this.#byName.get(route);
    const id = known ? Number(known.id) : this.#create(route, startFrom);
    if (known && known.closed_at !== null) this.#reopen.run(id);
    this.policies.set(id, atQuota);
    const lost = this.#streams.all().flatMap(({ id: stream, state, trimmed }) => {
      return compareCursors(this.cursor(id, stream), trimmed) < 0 ? [{ stream: state.stream, upTo: trimmed }] : [];
    });
    const [state] = this.#statesOf(this.#byName.all(route));
    if (!state) throw new Error(`route ${route} has no row`);
    return { state, lost };
  }

  /** All but these hold nothing back any more. */
  close({ keep, now }: Changes['closeRoutes']['argument']): undefined {
    const kept = new Set(keep);
    for (const row of this.#all.all()) {
      if (kept.has(row.name as RouteName)) continue;
      this.#close.run(now, Number(row.id));
      this.policies.delete(Number(row.id));
    }
  }

  all(): RouteState[] {
    return this.#statesOf(this.#all.all());
  }

  /** Those that hold records back. */
  holding(): HoldingRoute[] {
    const rows = this.#all.all().filter((row) => row.closed_at === null);
    return rows.map((row) => {
      const id = Number(row.id);
      return { id, route: row.name as RouteName, atQuota: this.policies.get(id) ?? 'unknown' };
    });
  }

  /** The lowest cursor of the routes that hold records back; undefined without any such route. */
  lowest(stream: number): Cursor | undefined {
    const row = this.#lowest.get(stream);
    if (!row) return undefined;
    return row.epoch === null ? ORIGIN : cursorOf(row);
  }

  cursor(route: number, stream: number): Cursor {
    const row = this.#cursor.get(route, stream);
    if (!row) return ORIGIN;
    demandFit(row, `how far the route ${route} has come`);
    return cursorOf(row);
  }

  /** Never back: a settlement that was overtaken by an expiry changes nothing. */
  move(route: number, stream: number, { epoch, position }: Cursor): void {
    this.#move.run(route, stream, epoch, position);
    this.#replayEnds.passed(route, stream, { epoch, position });
  }

  /** Back, for a replay alone. */
  moveBack(route: number, stream: number, { epoch, position }: Cursor): void {
    this.#back.run(epoch, position, route, stream);
  }

  /** The number of a replay that begins now. */
  nextReplay(route: number): number {
    return Number(this.#nextReplay.get(route)?.replays);
  }

  #create(route: RouteName, startFrom: 'now' | 'oldest'): number {
    const id = Number(this.#insert.run(route).lastInsertRowid);
    for (const stream of this.#streams.all()) {
      const start = startFrom === 'now' ? this.#now(stream) : stream.trimmed;
      this.move(id, stream.id, start);
      if (compareCursors(start, ORIGIN) === 0) continue;
      const before = { stream: stream.id, from: ORIGIN, to: start };
      this.#passedOver.add(id, before, { reason: 'before-start', at: Date.now() });
    }
    return id;
  }

  /** Behind all that can be read, and before whatever comes, such as a gap record at the watermark's own revision. */
  #now({ id, state }: Stream): Cursor {
    const { epoch, rv } = state;
    const watermark = { epoch, position: rv === undefined ? ('' as Position) : positionOf(rv) };
    const newest = this.#records.newest(id, visibleEnd(state)) ?? ORIGIN;
    return compareCursors(newest, watermark) > 0 ? newest : watermark;
  }

  #statesOf(rows: readonly Row[]): RouteState[] {
    const ids = rows.map((row) => Number(row.id));
    const lags = this.#lag.of(ids, (route, stream) => this.cursor(route, stream));
    return rows.map((row) => this.#stateOf(row, lags.get(Number(row.id)) ?? 0));
  }

  #stateOf(row: Row, lag: number): RouteState {
    const id = Number(row.id);
    const cursors = new Map<StreamName, Cursor>();
    for (const cursor of this.#cursors.all(id)) {
      demandFit(cursor, `how far route ${row.name} has come`);
      cursors.set(this.#streams.withId(Number(cursor.stream)).state.stream, cursorOf(cursor));
    }
    const [read, delivered, filtered, limited, dead, expired, replays] = [
      row.read,
      row.delivered,
      row.filtered,
      row.limited,
      row.dead,
      row.expired,
      row.replays,
    ].map(Number) as [number, number, number, number, number, number, number];
    return {
      route: row.name as RouteName,
      cursors,
      counters: { read, delivered, filtered, limited, dead, expired },
      pending: Number(this.#pending.get(id)?.count),
      deadLetters: Number(this.#dead.get(id)?.count),
      dropped: { byCommand: Number(row.dropped_by_command), byLimit: Number(row.dropped_by_limit) },
      lag,
      waitingSince: lag > 0 ? this.#waitingSince(id) : undefined,
      replays,
      replaying: this.#replaying(id),
    };
  }

  #replaying(route: number): RouteState['replaying'] {
    const ends = this.#replayEnds.of(route).map(({ stream, ...replay }) => {
      const left = this.#lag.between(stream, this.cursor(route, stream), replay.end);
      return [this.#streams.withId(stream).state.stream, { ...replay, left }] as const;
    });
    return new Map(ends);
  }

  #waitingSince(route: number): number | undefined {
    const first = this.#streams.all().flatMap(({ id, state }) => {
      const { epoch, position } = this.cursor(route, id);
      const end = visibleEnd(state);
      const row = this.#waiting.get(id, epoch, position, end.epoch, end.position);
      return row ? Number(row.appended_at) : [];
    });
    return first.length > 0 ? Math.min(...first) : undefined;
  }
}
