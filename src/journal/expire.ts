import type { DatabaseSync } from 'node:sqlite';
import { type Cursor, compareCursors, positionBefore, type StreamName } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import { unpackRecords } from './packed-records.ts';
import type { ParkedTable } from './parked.ts';
import type { PassedOver } from './passed-over.ts';
import type { Calls, Changes } from './protocol.ts';
import { cursorOf, type Records } from './records.ts';
import type { ReplayEnds } from './replay-ends.ts';
import type { Routes } from './routes.ts';
import type { Settler } from './settle.ts';
import type { Streams } from './streams.ts';

interface Tables {
  readonly streams: Streams;
  readonly routes: Routes;
  readonly parked: ParkedTable;
  readonly settler: Settler;
  readonly records: Records;
  readonly passedOver: PassedOver;
  readonly replayEnds: ReplayEnds;
}

/** Parked messages that one step expires: each touches half a dozen b-trees, and a step must not take 50 ms. */
const STEP = 250;

/**
 * Lets a route go of its oldest records. The cursor, the count of what it skips and the gap record that says so come in
 * one commit; what was parked there follows in steps, each with its own count, so that the books balance at any time.
 */
export class Expiry {
  readonly #tables: Tables;
  readonly #count;
  readonly #first;
  readonly #firstParked;
  readonly #before;
  readonly #parked;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    const range = 'stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)';
    this.#count = db.prepare(`SELECT count(*) AS count FROM records WHERE ${range}`);
    this.#first = db.prepare(`SELECT epoch, position FROM records WHERE ${range} ORDER BY epoch, position LIMIT 1`);
    const pending = "stream = ? AND route = ? AND state <> 'dead' AND (epoch, position) <= (?, ?)";
    const parked = `FROM parked INDEXED BY parked_place WHERE ${pending} ORDER BY epoch, position LIMIT`;
    this.#firstParked = db.prepare(`SELECT epoch, position ${parked} 1`);
    this.#parked = db.prepare(`SELECT id ${parked} ${STEP}`);
    this.#before = db.prepare(
      `SELECT epoch, position FROM records WHERE stream = ? AND (epoch, position) < (?, ?)
       ORDER BY epoch DESC, position DESC LIMIT 1`,
    );
  }

  /**
   * What stands before the first record that the route would not get, and whether it has had all of them before.
   * Retention passes by what parked messages refer to, so that where it stands may be far behind the first of those.
   */
  missing({ route: name, stream: streamName, upTo }: Calls['missing']['argument']): Calls['missing']['result'] {
    const { streams, routes, replayEnds } = this.#tables;
    const route = routes.need(name);
    const { id: stream, trimmed } = streams.need(streamName);
    const cursor = routes.cursor(route, stream);
    // The route had been removed for a while, and retention has not waited for it.
    if (compareCursors(cursor, trimmed) < 0) return { behind: cursor, again: false };
    const unread = this.#first.get(stream, cursor.epoch, cursor.position, upTo.epoch, upTo.position);
    const parked = this.#firstParked.get(stream, route, upTo.epoch, upTo.position);
    const [first] = [unread, parked].flatMap((row) => (row ? cursorOf(row) : [])).sort(compareCursors);
    if (!first) return undefined;
    const row = this.#before.get(stream, first.epoch, first.position);
    const end = replayEnds.at(route, stream)?.end;
    const again = parked === undefined && end !== undefined && compareCursors(upTo, end) <= 0;
    return { behind: row ? cursorOf(row) : lower(trimmed, before(first)), again };
  }

  expire({
    route: name,
    stream: streamName,
    upTo,
    gap,
    now,
  }: Changes['expire']['argument']): Changes['expire']['result'] {
    const { streams, routes, settler, passedOver } = this.#tables;
    const route = routes.need(name);
    const { id: stream } = streams.need(streamName);
    const before = routes.cursor(route, stream);
    const row = this.#count.get(stream, before.epoch, before.position, upTo.epoch, upTo.position);
    const expired = Number(row?.count);
    const first = this.#first.get(stream, before.epoch, before.position, upTo.epoch, upTo.position);
    if (first) passedOver.add(route, { stream, from: cursorOf(first), to: upTo }, { reason: 'quota', at: now });
    failpoint('journal.expiring');
    routes.move(route, stream, upTo);
    const gaps = this.#parkGap(route, gap, now);
    settler.count(route, { read: expired + gaps, expired });
    return { expired, cursor: routes.cursor(route, stream) };
  }

  /** A step; 0 when nothing of the route is parked there any more. */
  expireParked({ route: name, stream, upTo }: Changes['expireParked']['argument']): number {
    const { streams, routes, parked, settler } = this.#tables;
    const route = routes.need(name);
    const rows = this.#parked.all(streams.need(stream).id, route, upTo.epoch, upTo.position);
    for (const row of rows) parked.remove(route, Number(row.id), 'quota');
    settler.count(route, { expired: rows.length });
    return rows.length;
  }

  /** It waits like any parked message; the delivery gives it its destination, which here nobody knows. */
  #parkGap(route: number, gap: Changes['expire']['argument']['gap'], now: number): number {
    const { streams, records, parked } = this.#tables;
    const stream = streams.routeGaps();
    const epoch = stream.state.epoch + 1;
    streams.update({ ...stream, state: { ...stream.state, epoch } });
    const rows = [...unpackRecords(gap)];
    for (const row of rows) records.insert(row, { stream: stream.id, epoch, appendedAt: now });
    const name: StreamName = stream.state.stream;
    parked.add(
      route,
      rows.map(({ position, key }) => [
        name,
        epoch,
        position,
        '',
        key,
        'retry',
        'unavailable',
        'the journal was full',
        now,
        0,
      ]),
    );
    return rows.length;
  }
}

function before({ epoch, position }: Cursor): Cursor {
  return { epoch, position: positionBefore(position) };
}

function lower(a: Cursor, b: Cursor): Cursor {
  return compareCursors(a, b) < 0 ? a : b;
}
