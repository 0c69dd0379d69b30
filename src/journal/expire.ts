import type { DatabaseSync } from 'node:sqlite';
import type { StreamName } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import { type RecordRow, unpackRecords } from './packed-records.ts';
import type { ParkedTable } from './parked.ts';
import type { PassedOver } from './passed-over.ts';
import type { Changes } from './protocol.ts';
import { cursorOf, type Records } from './records.ts';
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
  readonly #parked;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    const range = 'stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)';
    this.#count = db.prepare(`SELECT count(*) AS count FROM records WHERE ${range}`);
    this.#first = db.prepare(`SELECT epoch, position FROM records WHERE ${range} ORDER BY epoch, position LIMIT 1`);
    const pending = "stream = ? AND route = ? AND state <> 'dead' AND (epoch, position) <= (?, ?)";
    const parked = `FROM parked INDEXED BY parked_place WHERE ${pending} ORDER BY epoch, position LIMIT`;
    this.#parked = db.prepare(`SELECT id ${parked} ${STEP}`);
  }

  expire({
    route: name,
    stream: streamName,
    upTo,
    gaps,
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
    const parked = this.#parkGaps(route, gaps, now);
    settler.count(route, { read: expired + parked, expired });
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

  /** They wait like any parked message; the delivery gives them their destination, which here nobody knows. */
  #parkGaps(route: number, gaps: Changes['expire']['argument']['gaps'], now: number): number {
    const rows = [...unpackRecords(gaps)];
    for (const row of rows) this.#parkGap(route, row, now);
    return rows.length;
  }

  #parkGap(route: number, row: RecordRow, now: number): void {
    const { streams, records, parked } = this.#tables;
    const stream = streams.routeGaps();
    const epoch = stream.state.epoch + 1;
    streams.update({ ...stream, state: { ...stream.state, epoch } });
    records.insert(row, { stream: stream.id, epoch, appendedAt: now });
    const name: StreamName = stream.state.stream;
    const { position, key } = row;
    parked.add(route, [[name, epoch, position, '', key, 'retry', 'unavailable', 'the journal was full', now, 0]]);
  }
}
