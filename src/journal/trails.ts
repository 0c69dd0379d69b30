import type { DatabaseSync } from 'node:sqlite';
import type { Receipt } from '../adapter.ts';
import { type Cursor, compareCursors, type Position } from '../envelope/position.ts';
import type { PassedOver } from './passed-over.ts';
import type { Calls } from './protocol.ts';
import type { ParkedMessage, RecordTrail, RouteName, RouteTrail } from './record.ts';
import type { Place } from './records.ts';
import type { ReplayEnds } from './replay-ends.ts';
import type { Routes } from './routes.ts';
import { ROUTE_GAPS, type Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

type Row = Record<string, unknown>;

/** Records before one that waits are counted up to here. */
const COUNTED_AHEAD = 1_000;

interface Tables {
  readonly streams: Streams;
  readonly routes: Routes;
  readonly passedOver: PassedOver;
  readonly replayEnds: ReplayEnds;
}

/** What each route has made of a record, as far as the file knows it. */
export class Trails {
  readonly #tables: Tables;
  readonly #receipts;
  readonly #parked;
  readonly #ahead;
  readonly #routes;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    this.#routes = db.prepare('SELECT id, name, closed_at FROM routes ORDER BY id');
    const place = 'stream = ? AND epoch = ? AND position = ?';
    this.#receipts = db.prepare(`SELECT route, delivered_at, receipt FROM receipts WHERE ${place}`);
    this.#parked = db.prepare(`SELECT * FROM parked WHERE ${place} ORDER BY id`);
    this.#ahead = db.prepare(
      `SELECT count(*) AS count FROM (SELECT 1 FROM records
       WHERE stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) < (?, ?) LIMIT ${COUNTED_AHEAD})`,
    );
  }

  of(places: Calls['trails']['argument']): RecordTrail[] {
    const routes = this.#routes.all();
    return places.map(({ stream, epoch, position }) => {
      const { id, state } = this.#tables.streams.need(stream);
      const place = { stream: id, epoch, position };
      const receipts = this.#receipts.all(id, epoch, position);
      const parked = this.#parked.all(id, epoch, position);
      const trails = routes.map((route) => this.#trail(place, route, { receipts, parked }));
      // Of a route's own gap record nobody else has heard.
      const concerned = stream === ROUTE_GAPS ? trails.filter((trail) => trail.receipt || trail.parked.length) : trails;
      return { readable: stream === ROUTE_GAPS || compareCursors(place, visibleEnd(state)) <= 0, routes: concerned };
    });
  }

  #replayOf(route: number, place: Cursor & { readonly stream: number }): number | undefined {
    const replay = this.#tables.replayEnds.at(route, place.stream);
    return replay && compareCursors(place, replay.end) <= 0 ? replay.number : undefined;
  }

  #trail(
    place: Omit<Place, 'position'> & { position: Position },
    route: Row,
    rows: Record<'receipts' | 'parked', Row[]>,
  ): RouteTrail {
    const id = Number(route.id);
    const receipt = rows.receipts.find((row) => row.route === id);
    const cursor = this.#tables.routes.cursor(id, place.stream);
    const passed = compareCursors(place, cursor) <= 0;
    const ahead = passed
      ? undefined
      : Number(this.#ahead.get(place.stream, cursor.epoch, cursor.position, place.epoch, place.position)?.count);
    return {
      route: route.name as RouteName,
      removed: route.closed_at !== null,
      receipt: receipt && { receipt: receiptOf(receipt), deliveredAt: Number(receipt.delivered_at) },
      parked: rows.parked.filter((row) => row.route === id).map(parkedOf),
      passedOver: this.#tables.passedOver.at(id, place),
      ahead,
      replay: passed ? undefined : this.#replayOf(id, place),
    };
  }
}

function receiptOf(row: Row): Receipt {
  try {
    return JSON.parse(String(row.receipt));
  } catch {
    return { damaged: true };
  }
}

function parkedOf(row: Row): RouteTrail['parked'][number] {
  return {
    id: Number(row.id),
    destination: String(row.destination),
    key: String(row.key),
    state: row.state as ParkedMessage['state'],
    reason: row.reason as ParkedMessage['reason'],
    detail: String(row.detail),
    parkedAt: Number(row.parked_at),
    replay: Number(row.replay),
  };
}
