import type { DatabaseSync } from 'node:sqlite';
import { packPage } from './packed-records.ts';
import type { Calls } from './protocol.ts';
import type { DeadLetter, DeadLetterFilter, RouteName } from './record.ts';
import { cursorOf, RECORD_COLUMNS, storedRow } from './records.ts';
import type { Streams } from './streams.ts';

type Row = Record<string, unknown>;

/** Rows that one question looks at: a commit that comes meanwhile waits for it, a few milliseconds. */
const STEP = 500;

/** Finds dead letters for a person, some hundred rows a question, without the data of their records. */
export class DeadLetterFinder {
  readonly #streams: Streams;
  readonly #oldest;
  readonly #newest;
  readonly #routes;
  readonly #last;
  readonly #record;

  constructor(db: DatabaseSync, streams: Streams) {
    this.#streams = streams;
    // The data is only measured, which reads none of it.
    const some = `SELECT p.*, r.attributes, length(r.data) AS bytes FROM parked p INDEXED BY parked_dead
      LEFT JOIN records r USING (stream, epoch, position) WHERE p.state = 'dead' AND p.id`;
    this.#oldest = db.prepare(`${some} > ? ORDER BY p.id LIMIT ${STEP}`);
    this.#newest = db.prepare(`${some} < ? ORDER BY p.id DESC LIMIT ${STEP}`);
    this.#routes = db.prepare('SELECT id, name FROM routes');
    this.#last = db.prepare("SELECT max(id) AS id FROM parked INDEXED BY parked_dead WHERE state = 'dead'");
    const columns = RECORD_COLUMNS.split(', ').map((column) => `r.${column}`);
    this.#record = db.prepare(
      `SELECT r.stream, ${columns.join(', ')} FROM parked p JOIN records r USING (stream, epoch, position)
       WHERE p.id = ? AND p.state = 'dead'`,
    );
  }

  /** Behind `from`, in that order. `next` is where to go on; undefined at the end. */
  find({ filter, order, from }: Calls['findDeadLetters']['argument']): Calls['findDeadLetters']['result'] {
    const names = new Map(this.#routes.all().map(({ id, name }) => [Number(id), name as RouteName]));
    const rows = order === 'oldest' ? this.#oldest.all(from ?? 0) : this.#newest.all(from ?? Number.MAX_SAFE_INTEGER);
    const letters = rows.flatMap((row) => {
      const route = names.get(Number(row.route));
      return route !== undefined && mayFit(row, route, filter) ? this.#letterOf(row, route) : [];
    });
    const { ids } = filter;
    const fitting = ids
      ? letters.filter(({ id, eventId }) => ids.includes(String(id)) || ids.includes(eventId))
      : letters;
    const newest = Number(this.#last.get()?.id ?? 0);
    return { letters: fitting, newest, next: rows.length < STEP ? undefined : Number(rows.at(-1)?.id) };
  }

  /** Its record, whole; an empty page when it is no dead letter any more. */
  record(id: number): Calls['deadLetterRecord']['result'] {
    const row = this.#record.get(id);
    return packPage(row ? [storedRow(row, this.#streams.withId(Number(row.stream)).state.stream)] : []);
  }

  #letterOf(row: Row, route: RouteName): DeadLetter {
    const { id = '', subject = '', reason, time } = attributesOf(row.attributes);
    return {
      id: Number(row.id),
      route,
      stream: this.#streams.withId(Number(row.stream)).state.stream,
      cursor: cursorOf(row),
      destination: String(row.destination),
      reason: row.reason as DeadLetter['reason'],
      detail: String(row.detail),
      diedAt: Number(row.parked_at),
      replay: Number(row.replay),
      bytes: Number(row.bytes),
      eventId: id,
      object: subject,
      eventReason: reason,
      occurredAt: time,
    };
  }
}

/** All but the ids: for those the attributes are needed. */
function mayFit(row: Row, name: RouteName, { route, reason, since, until }: DeadLetterFilter): boolean {
  const at = Number(row.parked_at);
  return (
    (route === undefined || name === route) &&
    (reason === undefined || row.reason === reason) &&
    (since === undefined || at >= since) &&
    (until === undefined || at <= until)
  );
}

/** Of a damaged record there may be nothing to read. */
function attributesOf(text: unknown): Record<string, string | undefined> {
  try {
    const value: unknown = JSON.parse(String(text));
    return typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, String(one)]))
      : {};
  } catch {
    return {};
  }
}
