import type { DatabaseSync } from 'node:sqlite';
import { SUMS } from './records.ts';
import { fits, type SealedTable } from './seal.ts';

/** Small enough to be read in full at every start, by SQLite's own check of a table and its indexes. */
const CHECKED = ['streams', 'routes', 'cursors', 'replays', 'parked', 'passed_over'];

/** A cursor that is not as it was written, or ahead of its stream. */
export const CURSOR_IS_OFF = `(NOT (${fits('cursors')})
  OR epoch > (SELECT s.epoch FROM streams s WHERE s.id = cursors.stream))`;

/**
 * What does not fit in the tables that decide. A row that has become another has a checksum that does not fit; a page
 * that was lost, or is there in an older version, has rows that fit: so what a stream has of records is added up in its
 * row, and a route's parked messages are counted in its own, where its books must balance too.
 */
export class Inspection {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Whether everything fits: a few milliseconds, and some 200 for each million records. */
  get isWhole(): boolean {
    const whole = CHECKED.every((table) => this.#check(table) === 'ok');
    const rows = [this.misfits('streams'), this.misfits('routes'), this.misfits('parked'), this.routesOff()];
    return whole && [...rows, this.streamsOff()].every((ids) => ids.length === 0) && !this.#rowsOff();
  }

  /** The first thing that SQLite finds wrong in the whole file: it takes as long as reading it does. */
  get firstFlaw(): string | undefined {
    const [found] = this.#db
      .prepare('PRAGMA integrity_check(1)')
      .all()
      .map(({ integrity_check: text }) => String(text));
    return found === 'ok' ? undefined : found;
  }

  misfits(table: Exclude<SealedTable, 'cursors' | 'replays'>): number[] {
    return this.#ids(`SELECT id FROM ${table} WHERE NOT (${fits(table)})`);
  }

  /** Streams that have not the records which their row says. */
  streamsOff(): number[] {
    return this.#ids(
      `SELECT s.id FROM streams s LEFT JOIN (${SUMS}) r ON r.stream = s.id
       WHERE (s.records, s.keys) IS NOT (ifnull(r.records, 0), ifnull(r.keys, 0))`,
    );
  }

  /** Routes that have not the parked messages which their row says, or whose books do not balance. */
  routesOff(): number[] {
    return this.#ids(
      `SELECT r.id FROM routes r LEFT JOIN
         (SELECT route, count(*) AS parked, sum(state <> 'dead') AS pending FROM parked GROUP BY route) p ON p.route = r.id
       WHERE r.parked IS NOT ifnull(p.parked, 0)
         OR r.read IS NOT r.delivered + r.filtered + r.limited + r.dead + r.expired + ifnull(p.pending, 0)`,
    );
  }

  replaysOff(): boolean {
    return this.#is(`SELECT 1 FROM replays WHERE NOT (${fits('replays')})`);
  }

  cursorsOff(): boolean {
    return this.#is(`SELECT 1 FROM cursors WHERE ${CURSOR_IS_OFF}`);
  }

  /** Rows of a stream or a route that has no row itself. */
  strays(): boolean {
    return this.#is(
      `WITH used (route, stream) AS (
         SELECT route, stream FROM parked UNION ALL SELECT route, stream FROM cursors
         UNION ALL SELECT NULL, stream FROM (${SUMS}))
       SELECT 1 FROM used WHERE stream NOT IN (SELECT id FROM streams)
         OR route IS NOT NULL AND route NOT IN (SELECT id FROM routes)`,
    );
  }

  #rowsOff(): boolean {
    return this.cursorsOff() || this.replaysOff() || this.strays();
  }

  #check(table: string): string {
    return String(this.#db.prepare(`PRAGMA integrity_check(${table})`).get()?.integrity_check);
  }

  #ids(query: string): number[] {
    return this.#db
      .prepare(query)
      .all()
      .map(({ id }) => Number(id));
  }

  #is(query: string): boolean {
    return this.#db.prepare(`SELECT EXISTS (${query}) AS it`).get()?.it === 1;
  }
}
