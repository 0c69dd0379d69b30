import type { DatabaseSync } from 'node:sqlite';
import type { ParkedTable } from './parked.ts';
import type { SettleArgument } from './protocol.ts';
import type { Counters } from './record.ts';
import type { Routes } from './routes.ts';
import type { Streams } from './streams.ts';

/** Writes what became of a route's records: cursors, counters, receipts, parked messages. */
export class Settler {
  readonly #streams: Streams;
  readonly #routes: Routes;
  readonly #parked: ParkedTable;
  readonly #count;
  readonly #receipt;

  constructor(db: DatabaseSync, tables: { streams: Streams; routes: Routes; parked: ParkedTable }) {
    this.#streams = tables.streams;
    this.#routes = tables.routes;
    this.#parked = tables.parked;
    this.#count = db.prepare(
      `UPDATE routes SET read = read + ?, delivered = delivered + ?, filtered = filtered + ?, limited = limited + ?,
         dead = dead + ?, expired = expired + ? WHERE id = ?`,
    );
    this.#receipt = db.prepare(
      `INSERT INTO receipts (stream, epoch, position, delivered_at, receipt, route) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET delivered_at = excluded.delivered_at, receipt = excluded.receipt`,
    );
  }

  settle({ route: name, cursors, counters, receipts, parked, unparked }: SettleArgument): undefined {
    const route = this.#routes.need(name);
    const streams = new Set([
      ...cursors.keys(),
      ...receipts.map(([stream]) => stream),
      ...parked.map(([stream]) => stream),
    ]);
    const ids = new Map(Array.from(streams, (stream) => [stream, this.#streams.need(stream).id]));
    for (const [stream, cursor] of cursors) this.#routes.move(route, ids.get(stream) ?? 0, cursor);
    this.count(route, counters);
    for (const [stream, ...rest] of receipts) this.#receipt.run(ids.get(stream) ?? 0, ...rest, route);
    // First parked, then unparked: what dies keeps its record.
    this.#parked.add(route, parked);
    for (const id of unparked) this.#parked.remove(route, id);
  }

  count(route: number, counters: Partial<Counters>): void {
    const { read = 0, delivered = 0, filtered = 0, limited = 0, dead = 0, expired = 0 } = counters;
    this.#count.run(read, delivered, filtered, limited, dead, expired, route);
  }
}
