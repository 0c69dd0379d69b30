import type { DatabaseSync } from 'node:sqlite';
import type { Cursor } from '../envelope/position.ts';
import type { PassedOverReason } from './record.ts';
import type { Place } from './records.ts';

/** Both ends belong to it; `stream` is the id of the stream's row. */
interface Range {
  readonly stream: number;
  readonly from: Cursor;
  readonly to: Cursor;
}

/**
 * What a route's cursor has passed without a verdict on each record: whoever asks later would otherwise take it for
 * filtered. A range is one row, however many records are in it.
 */
export class PassedOver {
  readonly #insert;
  readonly #find;
  readonly #forget;
  readonly #reopen;
  readonly #cut;
  readonly #removeRoute;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      `INSERT OR REPLACE INTO passed_over (route, stream, to_epoch, to_position, from_epoch, from_position, reason, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#find = db.prepare(
      `SELECT reason, at FROM passed_over
       WHERE stream = ? AND route = ? AND (to_epoch, to_position) >= (?, ?) AND (from_epoch, from_position) <= (?, ?)
       ORDER BY to_epoch, to_position, from_epoch DESC, from_position DESC LIMIT 1`,
    );
    this.#forget = db.prepare(
      `DELETE FROM passed_over AS o WHERE stream = ? AND (to_epoch, to_position) <= (?, ?) AND NOT EXISTS (
         SELECT 1 FROM parked p WHERE p.stream = o.stream
           AND (p.epoch, p.position) >= (o.from_epoch, o.from_position)
           AND (p.epoch, p.position) <= (o.to_epoch, o.to_position))`,
    );
    this.#reopen = db.prepare(
      'DELETE FROM passed_over WHERE stream = ? AND route = ? AND (from_epoch, from_position) > (?, ?)',
    );
    this.#cut = db.prepare(
      `UPDATE OR REPLACE passed_over SET to_epoch = ?, to_position = ?
       WHERE stream = ? AND route = ? AND (to_epoch, to_position) > (?, ?)`,
    );
    this.#removeRoute = db.prepare('DELETE FROM passed_over WHERE route = ?');
  }

  add(route: number, { stream, from, to }: Range, { reason, at }: PassedOverReason): void {
    this.#insert.run(route, stream, to.epoch, to.position, from.epoch, from.position, reason, at);
  }

  at(route: number, { stream, epoch, position }: Place): PassedOverReason | undefined {
    const row = this.#find.get(stream, route, epoch, position, epoch, position);
    return row && { reason: row.reason as PassedOverReason['reason'], at: Number(row.at) };
  }

  /** The records up to `end` are gone, but for those that a parked message refers to. */
  forget(stream: number, end: Cursor): void {
    this.#forget.run(stream, end.epoch, end.position);
  }

  /** The route reads again what stands behind `end`, and will say what becomes of each record. */
  forgetBehind(route: number, stream: number, { epoch, position }: Cursor): void {
    this.#reopen.run(stream, route, epoch, position);
    this.#cut.run(epoch, position, stream, route, epoch, position);
  }

  removeRoute(route: number): void {
    this.#removeRoute.run(route);
  }
}
