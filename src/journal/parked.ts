import type { DatabaseSync } from 'node:sqlite';
import type { Position, StreamName } from '../envelope/position.ts';
import { DeadCounts } from './dead-counts.ts';
import { packPage, type StoredRow } from './packed-records.ts';
import type { PassedOver } from './passed-over.ts';
import type { Calls, ParkedRows, SettleArgument } from './protocol.ts';
import type { ParkedMessage, PassedOverReason } from './record.ts';
import { cursorOf, type Place, RECORD_COLUMNS, type Records, storedRow } from './records.ts';
import type { Routes } from './routes.ts';
import { demandFit, fits } from './seal.ts';
import type { Streams } from './streams.ts';

type Row = Record<string, unknown>;
type ParkedState = ParkedMessage['state'];

/** A page of parked messages ends here: they carry their records. */
const PAGE_BYTES = 8 * 1024 * 1024;

/** As the indexes of lanes have it. */
const IN_LANE = "state IN ('retry', 'held')";

/** The table of messages that their route's cursor has passed and that were not delivered. */
export class ParkedTable {
  readonly dead: DeadCounts;
  readonly #streams: Streams;
  readonly #routes: Routes;
  readonly #records: Records;
  readonly #passedOver: PassedOver;
  readonly #insert;
  readonly #delete;
  readonly #revive;
  readonly #others;
  readonly #record;
  readonly #ofRoute;
  readonly #revived;
  readonly #ofDestination;
  readonly #ofKey;
  readonly #ofEachKey;
  readonly #lanes;

  constructor(
    db: DatabaseSync,
    tables: { streams: Streams; routes: Routes; records: Records; passedOver: PassedOver },
  ) {
    this.dead = new DeadCounts(db);
    this.#streams = tables.streams;
    this.#routes = tables.routes;
    this.#records = tables.records;
    this.#passedOver = tables.passedOver;
    this.#insert = db.prepare(
      `INSERT INTO parked (route, stream, epoch, position, destination, key, state, reason, detail, parked_at, replay)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = db.prepare(
      `DELETE FROM parked WHERE id = ? AND route = ? RETURNING stream, epoch, position, state, ${fits('parked')} AS fits`,
    );
    this.#others = db.prepare('SELECT 1 FROM parked WHERE stream = ? AND epoch = ? AND position = ? LIMIT 1');
    this.#record = db.prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE stream = ? AND epoch = ? AND position = ?`);
    const rows = `SELECT *, ${fits('parked')} AS fits FROM parked`;
    const page = 'id > ? ORDER BY id LIMIT ?';
    this.#ofRoute = db.prepare(`${rows} WHERE route = ? AND state <> 'dead' AND ${page}`);
    this.#revived = db.prepare(`${rows} WHERE route = ? AND state = 'revived' AND ${page}`);
    // A revived dead letter stands in no lane.
    const inLane = `${rows} WHERE route = ? AND ${IN_LANE} AND destination = ? AND`;
    this.#ofDestination = db.prepare(`${inLane} ${page}`);
    this.#ofKey = db.prepare(`${inLane} key = ? AND ${page}`);
    this.#revive = db.prepare(
      `INSERT INTO parked (route, stream, epoch, position, destination, key, state, reason, detail, parked_at, replay)
       SELECT route, stream, epoch, position, destination, key, 'revived', reason, detail, ?, ? FROM parked WHERE id = ?`,
    );
    // From key to key by the index: one of them may own a hundred thousand rows.
    const live = `FROM parked WHERE route = :id AND destination = :destination AND ${IN_LANE}`;
    this.#ofEachKey = db.prepare(
      `WITH RECURSIVE keys (key, number) AS (
         SELECT (SELECT min(key) ${live} AND key >= :from AND key IS NOT :not), 1 UNION ALL
         SELECT (SELECT min(key) ${live} AND key > keys.key), number + 1 FROM keys
         WHERE keys.key IS NOT NULL AND number < :limit)
       SELECT p.* FROM keys JOIN (${rows}) p ON p.id = (SELECT min(id) ${live} AND key = keys.key) ORDER BY number`,
    );
    // With min(), SQLite takes the other columns from the row that holds the minimum: the head of the lane.
    this.#lanes = db.prepare(
      `SELECT destination, key, state, reason, detail, parked_at, count(*) AS count, min(id) FROM parked
       WHERE route = ? AND ${IN_LANE} GROUP BY destination, key ORDER BY min(id)`,
    );
  }

  add(route: number, rows: SettleArgument['parked']): void {
    for (const [stream, ...rest] of rows) {
      this.#insert.run(route, this.#streams.need(stream).id, ...rest);
      if (rest[4] === 'dead') this.dead.add(route, 1);
    }
  }

  /**
   * Takes a message out of the table, and its record with it when retention has already passed that by and nobody else
   * refers to it. `lost` says why, when it was not delivered. Returns the state that it was parked in, or undefined when
   * it was not there.
   */
  remove(route: number, id: number, lost?: PassedOverReason['reason']): ParkedState | undefined {
    const row = this.#delete.get(id, route);
    if (!row) return undefined;
    demandFit(row, `parked message ${id}`);
    if (row.state === 'dead') this.dead.add(route, -1);
    const place = placeOf(row);
    if (this.#trimmedBehind(place) && !this.refersTo(place)) this.#records.delete(place);
    else if (lost) this.#passedOver.add(route, rangeOf(row), { reason: lost, at: Date.now() });
    return row.state as ParkedState;
  }

  /** A dead letter comes back as the newest of what waits; its record stays. */
  revive(route: number, id: number, { replay, now }: { readonly replay: number; readonly now: number }): void {
    this.#revive.run(now, replay, id);
    demandFit(this.#delete.get(id, route) ?? {}, `parked message ${id}`);
    this.dead.add(route, -1);
  }

  /** Whether some parked message refers to the record there. */
  refersTo({ stream, epoch, position }: Place): boolean {
    return this.#others.get(stream, epoch, position) !== undefined;
  }

  pending(asked: Calls['parked']['argument']): ParkedRows {
    const { route, destination, key, after, limit, firstOfEachKeyBehind: behind } = asked;
    const id = this.#routes.need(route);
    if (destination !== undefined && behind !== undefined) {
      return this.#page(this.#ofEachKey.iterate({ id, destination, limit, from: behind ?? '', not: behind }));
    }
    if (destination === undefined) return this.#page(this.#ofRoute.iterate(id, after, limit));
    if (key === undefined) return this.#page(this.#ofDestination.iterate(id, destination, after, limit));
    return this.#page(this.#ofKey.iterate(id, destination, key, after, limit));
  }

  revived({ route, after, limit }: Calls['revived']['argument']): ParkedRows {
    return this.#page(this.#revived.iterate(this.#routes.need(route), after, limit));
  }

  lanes(route: Calls['parkedLanes']['argument']): Calls['parkedLanes']['result'] {
    return this.#lanes.all(this.#routes.need(route)).map((row) => ({
      destination: String(row.destination),
      key: String(row.key),
      state: row.state === 'held' ? 'held' : 'retry',
      reason: row.reason as ParkedMessage['reason'],
      detail: String(row.detail),
      parkedAt: Number(row.parked_at),
      count: Number(row.count),
    }));
  }

  #trimmedBehind({ stream, epoch, position }: Place): boolean {
    const { trimmed } = this.#streams.withId(stream);
    return epoch < trimmed.epoch || (epoch === trimmed.epoch && position <= trimmed.position);
  }

  #page(found: Iterable<Row>): ParkedRows {
    const rows: ParkedRows['rows'][number][] = [];
    const records: StoredRow[] = [];
    let bytes = 0;
    for (const row of found) {
      const record = this.#recordOf(row);
      bytes += record.data.length;
      if (bytes > PAGE_BYTES && rows.length > 0) break;
      rows.push(parkedOf(row, record.stream));
      records.push(record);
    }
    return { rows, page: packPage(records) };
  }

  #recordOf(row: Row): StoredRow {
    demandFit(row, `parked message ${row.id}`);
    const { stream: id, epoch, position } = placeOf(row);
    const { stream } = this.#streams.withId(id).state;
    const record = this.#record.get(id, epoch, position);
    return record ? storedRow(record, stream) : lostRow({ stream, epoch, position, key: String(row.key) });
  }
}

/** Stands in for a record that damage has taken away, so that its message ends as a dead letter. */
function lostRow(place: Pick<StoredRow, 'stream' | 'epoch' | 'position' | 'key'>): StoredRow {
  const nothing = { kind: 'event', origin: 'live', attributes: '', data: new Uint8Array(), appendedAt: 0 };
  return { ...place, ...nothing, intact: false };
}

function rangeOf(row: Row): Parameters<PassedOver['add']>[1] {
  const cursor = cursorOf(row);
  return { stream: Number(row.stream), from: cursor, to: cursor };
}

function placeOf(row: Row): Place {
  return { stream: Number(row.stream), epoch: Number(row.epoch), position: String(row.position) };
}

function parkedOf(row: Row, stream: string): Omit<ParkedMessage, 'record'> {
  return {
    id: Number(row.id),
    stream: stream as StreamName,
    cursor: { epoch: Number(row.epoch), position: row.position as Position },
    destination: String(row.destination),
    key: String(row.key),
    state: row.state as ParkedState,
    reason: row.reason as ParkedMessage['reason'],
    detail: String(row.detail),
    parkedAt: Number(row.parked_at),
    replay: Number(row.replay),
  };
}
