import type { DatabaseSync } from 'node:sqlite';
import { type Cursor, compareCursors } from '../envelope/position.ts';
import type { Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

/**
 * How many readable records each route still has before it. Counted once from cursor to cursor, the farthest first, so
 * that it costs one pass over an index (some 20 ms for a million records), however many routes lag.
 */
export class Lag {
  readonly #streams: Streams;
  readonly #between;

  constructor(db: DatabaseSync, streams: Streams) {
    this.#streams = streams;
    this.#between = db.prepare(
      `SELECT count(*) AS count FROM records
       WHERE stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)`,
    );
  }

  between(stream: number, from: Cursor, to: Cursor): number {
    return Number(this.#between.get(stream, from.epoch, from.position, to.epoch, to.position)?.count);
  }

  of(routes: readonly number[], cursor: (route: number, stream: number) => Cursor): Map<number, number> {
    const lags = new Map<number, number>();
    for (const { id: stream, state } of this.#streams.all()) {
      const cursors = routes.map((route) => ({ route, at: cursor(route, stream) }));
      let end = visibleEnd(state);
      let sum = 0;
      for (const { route, at } of cursors.sort((a, b) => compareCursors(b.at, a.at))) {
        sum += this.between(stream, at, end);
        if (compareCursors(at, end) < 0) end = at;
        lags.set(route, (lags.get(route) ?? 0) + sum);
      }
    }
    return lags;
  }
}
