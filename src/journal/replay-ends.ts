import type { DatabaseSync } from 'node:sqlite';
import type { Cursor } from '../envelope/position.ts';
import type { ReplayEnd } from './record.ts';
import { cursorOf } from './records.ts';

type Row = Record<string, unknown>;

/**
 * Up to where in a stream what a route reads is a replay, and under which number that is sent. A row is there until the
 * cursor has come to its end, so a start finds out what it reads, whenever the daemon has died.
 */
export class ReplayEnds {
  readonly #set;
  readonly #at;
  readonly #of;
  readonly #passed;
  readonly #removeRoute;

  constructor(db: DatabaseSync) {
    this.#set = db.prepare(
      'INSERT OR REPLACE INTO replays (route, stream, epoch, position, number, asked_at) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#at = db.prepare('SELECT epoch, position, number, asked_at FROM replays WHERE route = ? AND stream = ?');
    this.#of = db.prepare('SELECT * FROM replays WHERE route = ? ORDER BY stream');
    this.#passed = db.prepare('DELETE FROM replays WHERE route = ? AND stream = ? AND (epoch, position) <= (?, ?)');
    this.#removeRoute = db.prepare('DELETE FROM replays WHERE route = ?');
  }

  set(route: number, stream: number, { end, number, askedAt }: ReplayEnd): void {
    this.#set.run(route, stream, end.epoch, end.position, number, askedAt);
  }

  at(route: number, stream: number): ReplayEnd | undefined {
    const row = this.#at.get(route, stream);
    return row && endOf(row);
  }

  of(route: number): readonly (ReplayEnd & { readonly stream: number })[] {
    return this.#of.all(route).map((row) => ({ ...endOf(row), stream: Number(row.stream) }));
  }

  /** The cursor has come to there. */
  passed(route: number, stream: number, { epoch, position }: Cursor): void {
    this.#passed.run(route, stream, epoch, position);
  }

  removeRoute(route: number): void {
    this.#removeRoute.run(route);
  }
}

function endOf(row: Row): ReplayEnd {
  return { end: cursorOf(row), number: Number(row.number), askedAt: Number(row.asked_at) };
}
