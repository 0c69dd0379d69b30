import type { DatabaseSync } from 'node:sqlite';
import type { Position } from '../envelope/position.ts';
import { CONSTRAINT, CORRUPT, DAMAGED, meaningOf, resultCode } from './failure.ts';
import { CURSOR_IS_OFF, Inspection } from './inspection.ts';
import { SUMS } from './records.ts';
import { fits } from './seal.ts';
import { ROUTE_GAPS } from './streams.ts';

/**
 * Looks at what decides, and mends it where it does not fit: rather twice than never, and said in words, one for each thing
 * that was done. Within the caller's transaction; what cannot be mended is refused, in words too.
 */
export function mend(db: DatabaseSync, whenDamaged: 'mend' | 'refuse'): readonly string[] {
  const inspection = new Inspection(db);
  if (answers(() => inspection.isWhole)) return [];
  if (whenDamaged === 'refuse') {
    throw new Error('the file is damaged: start the daemon, which mends what can be mended and says what it has done');
  }
  const flaw = answers(() => inspection.firstFlaw) ?? 'its tables do not agree';
  const words: string[] = [];
  const whole = answers(() => {
    words.push(...new Mending(db, inspection).run());
    return inspection.firstFlaw === undefined && inspection.isWhole;
  });
  if (!whole) throw new Error(`${DAMAGED} (SQLite: ${flaw})`);
  return words;
}

/** Undefined when the damage keeps it from answering; a disk that fails or is full is another matter. */
function answers<T>(question: () => T): T | undefined {
  try {
    return question();
  } catch (error) {
    if (error instanceof RangeError || error instanceof Unmendable) return undefined;
    if (MEANS_DAMAGE.has(resultCode(error) ?? 0)) return undefined;
    throw new Error(meaningOf(error), { cause: error });
  }
}
/** A constraint: of two rows where there can be one. */
const MEANS_DAMAGE: ReadonlySet<number> = new Set([CORRUPT, CONSTRAINT]);

class Unmendable extends Error {
  override readonly name = 'Unmendable';
}

class Mending {
  readonly #db: DatabaseSync;
  readonly #inspection: Inspection;
  readonly #words: string[] = [];

  constructor(db: DatabaseSync, inspection: Inspection) {
    this.#db = db;
    this.#inspection = inspection;
  }

  run(): readonly string[] {
    const misfits = (table: 'streams' | 'routes' | 'parked') => this.#inspection.misfits(table);
    // An index agrees with its row: so what a row is of is known, also where what it says is not.
    const named = this.#inspection.firstFlaw === undefined;
    if (!named) this.#rebuildIndexes();
    const routes = misfits('routes');
    if (this.#inspection.strays() || (!named && misfits('streams').length + routes.length > 0)) throw new Unmendable();
    for (const id of new Set([...misfits('streams'), ...this.#inspection.streamsOff()])) this.#listAgain(id);
    if (named) this.#bury(misfits('parked'));
    else if (this.#dropMisfits()) for (const { id } of this.#all('SELECT id FROM routes')) this.#goBack(Number(id));
    for (const id of routes) this.#countAnew(id);
    for (const id of this.#inspection.routesOff()) this.#goBack(id);
    if (this.#inspection.cursorsOff()) this.#replaceCursors();
    if (this.#inspection.replaysOff()) this.#endReplays();
    return this.#words;
  }

  #rebuildIndexes(): void {
    this.#db.exec('REINDEX');
    this.#words.push('an index did not agree with its table, and was made again');
  }

  /** Where it stood is not known, nor what is gone of its records: all is listed again, in a history of its own. */
  #listAgain(id: number): void {
    const [stream] = this.#all('SELECT name FROM streams WHERE id = :id', { id });
    const [newest] = this.#all(
      `SELECT max(epoch) AS epoch FROM (
         SELECT max(epoch) AS epoch FROM records WHERE stream = :id
         UNION ALL SELECT max(epoch) FROM cursors WHERE stream = :id AND ${fits('cursors')}
         UNION ALL SELECT epoch FROM streams WHERE id = :id AND ${fits('streams')})`,
      { id },
    );
    const [sum = { records: 0, keys: 0 }] = this.#all(`SELECT * FROM (${SUMS}) WHERE stream = :id`, { id });
    const epoch = Number(newest?.epoch ?? 0) + 1;
    const gaps = stream?.name === ROUTE_GAPS;
    // A watch from the first revision of all is refused by the API server, or brings everything; either is right, and what
    // is refused is listed, behind a gap record.
    this.#run(
      `UPDATE streams SET epoch = :epoch, rv = :rv, floor = NULL, listing = NULL, history = :history,
         trimmed_epoch = :trimmed, trimmed_position = '', trimmed_at = :now, records = :records, keys = :keys WHERE id = :id`,
      {
        id,
        epoch,
        rv: gaps ? null : '1',
        history: gaps ? 0 : epoch,
        trimmed: gaps ? Number.MAX_SAFE_INTEGER : epoch,
        records: Number(sum.records),
        keys: Number(sum.keys),
        now: Date.now(),
      },
    );
    if (gaps) return;
    this.#startAtOldest(id);
    this.#words.push(
      `where stream ${stream?.name} stood is not known, or some of its records are gone: all that the API server still ` +
        'has is listed again, and a gap record says so',
    );
  }

  /** Parked messages that cannot be read, but whose index says which they are. */
  #bury(ids: readonly number[]): void {
    for (const id of ids) {
      this.#run(
        "UPDATE routes SET dead = dead + 1 WHERE id = (SELECT route FROM parked WHERE id = :id AND state <> 'dead')",
        { id },
      );
      this.#run(
        `UPDATE parked SET state = 'dead', reason = 'corrupt-record', parked_at = parked_at & 9007199254740991,
           detail = 'Its row in the journal was damaged.' WHERE id = :id`,
        { id },
      );
    }
    if (ids.length > 0) this.#words.push(`parked messages whose rows were damaged are dead letters now: ${ids.length}`);
  }

  /** Nobody knows whose they are. */
  #dropMisfits(): boolean {
    const found = this.#inspection.misfits('parked');
    for (const id of found) this.#run('DELETE FROM parked WHERE id = :id', { id });
    return found.length > 0;
  }

  #countAnew(route: number): void {
    this.#run(
      `UPDATE routes SET delivered = 0, filtered = 0, limited = 0, expired = 0, replays = 0, closed_at = NULL,
         dropped_by_command = 0, dropped_by_limit = 0,
         dead = (SELECT count(*) FROM parked WHERE route = :route AND state = 'dead'),
         read = (SELECT count(*) FROM parked WHERE route = :route),
         parked = (SELECT count(*) FROM parked WHERE route = :route) WHERE id = :route`,
      { route },
    );
    this.#words.push(`the counters of route ${this.#nameOf(route)} were damaged, and begin anew`);
  }

  /** Some of its parked messages are gone, or came back: it begins again with the oldest record of all. */
  #goBack(route: number): void {
    this.#run('DELETE FROM cursors WHERE route = :route', { route });
    for (const stream of this.#streams()) {
      this.#startAtOldest(stream);
      this.#startRoute(route, stream);
    }
    this.#run(
      `UPDATE routes SET parked = (SELECT count(*) FROM parked WHERE route = :route),
         read = delivered + filtered + limited + dead + expired
           + (SELECT count(*) FROM parked WHERE route = :route AND state <> 'dead') WHERE id = :route`,
      { route },
    );
    this.#words.push(
      `route ${this.#nameOf(route)} has lost messages that were parked: it goes back to the oldest record that the ` +
        'journal has, so that none is missing and many come twice',
    );
  }

  #replaceCursors(): void {
    this.#run(`DELETE FROM cursors WHERE ${CURSOR_IS_OFF}`);
    const lacking = this.#all(
      `SELECT r.id, r.name, s.id AS stream, s.name AS of FROM routes r JOIN streams s ON s.name <> :gaps
       WHERE r.closed_at IS NULL AND NOT EXISTS (SELECT 1 FROM cursors c WHERE c.route = r.id AND c.stream = s.id)`,
      { gaps: ROUTE_GAPS },
    );
    for (const { id, name, stream, of } of lacking) {
      this.#startRoute(Number(id), Number(stream));
      this.#words.push(
        `how far route ${name} has come in stream ${of} is not known: it goes back to the oldest record that is kept, ` +
          'so that none is missing and many come twice',
      );
    }
  }

  #endReplays(): void {
    this.#run(`DELETE FROM replays WHERE NOT (${fits('replays')})`);
    this.#words.push('where a replay ends is not known: what it has still to send is sent without the mark of one');
  }

  #startRoute(route: number, stream: number): void {
    this.#run(
      `INSERT INTO cursors (route, stream, epoch, position)
       SELECT :route, id, trimmed_epoch, trimmed_position FROM streams WHERE id = :stream`,
      { route, stream },
    );
  }

  /**
   * Retention begins again right before the oldest record of all, also where only a parked message kept that. A removed
   * route may have missed what was deleted: without a cursor it is told so when it comes back.
   */
  #startAtOldest(stream: number): void {
    const [oldest] = this.#all(
      'SELECT epoch, position FROM records WHERE stream = :stream ORDER BY epoch, position LIMIT 1',
      { stream },
    );
    if (oldest) {
      const at = { epoch: Number(oldest.epoch), position: rightBefore(String(oldest.position)), stream };
      this.#run(
        `UPDATE streams SET trimmed_epoch = :epoch, trimmed_position = :position
         WHERE id = :stream AND (trimmed_epoch, trimmed_position) > (:epoch, :position)`,
        at,
      );
    }
    this.#run(
      'DELETE FROM cursors WHERE stream = :stream AND route IN (SELECT id FROM routes WHERE closed_at IS NOT NULL)',
      { stream },
    );
  }

  #streams(): number[] {
    return this.#all('SELECT id FROM streams WHERE name <> :gaps', { gaps: ROUTE_GAPS }).map(({ id }) => Number(id));
  }

  #nameOf(route: number): string {
    return String(this.#all('SELECT name FROM routes WHERE id = :route', { route })[0]?.name);
  }

  #all(query: string, values: Values = {}): Record<string, unknown>[] {
    return this.#db.prepare(query).all(values);
  }

  #run(change: string, values: Values = {}): void {
    this.#db.prepare(change).run(values);
  }
}

type Values = Readonly<Record<string, string | number | null>>;

/** What sorts before this position, and behind all others that do. */
function rightBefore(position: string): Position {
  const last = position.charCodeAt(position.length - 1);
  return `${position.slice(0, -1)}${String.fromCharCode(last - 1)}~` as Position;
}
