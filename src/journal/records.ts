import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { Cursor, Position } from '../envelope/position.ts';
import type { RecordRow, StoredRow } from './packed-records.ts';

type Row = Record<string, unknown>;

export const RECORD_COLUMNS = 'epoch, position, kind, origin, appended_at, crc, key, attributes, data';

/** Where a record stands in the file; `stream` is the id of the stream's row. */
export interface Place {
  readonly stream: number;
  readonly epoch: number;
  readonly position: string;
}

/** Writes and deletes records, and keeps count of them. */
export class Records {
  readonly #insert;
  readonly #delete;
  readonly #deleteReceipts;
  readonly #above;
  readonly #newest;
  count: number;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      `INSERT OR IGNORE INTO records (stream, epoch, position, kind, origin, appended_at, crc, key, attributes, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const place = 'stream = ? AND epoch = ? AND position = ?';
    this.#delete = db.prepare(`DELETE FROM records WHERE ${place}`);
    this.#deleteReceipts = db.prepare(`DELETE FROM receipts WHERE ${place}`);
    this.#above = db.prepare('SELECT 1 FROM records WHERE stream = ? AND epoch = ? AND position > ? LIMIT 1');
    this.#newest = db.prepare(
      `SELECT epoch, position FROM records WHERE stream = ? AND (epoch, position) <= (?, ?)
       ORDER BY epoch DESC, position DESC LIMIT 1`,
    );
    this.count = Number(db.prepare('SELECT count(*) AS count FROM records').get()?.count);
  }

  /** False when there is one at its place already. */
  insert(
    row: RecordRow,
    to: { readonly stream: number; readonly epoch: number; readonly appendedAt: number },
  ): boolean {
    const { position, kind, origin, key, attributes, data } = row;
    const values = [position, kind, origin, to.appendedAt, checksum(row), key, attributes, data];
    const inserted = this.#insert.run(to.stream, to.epoch, ...values).changes === 1;
    if (inserted) this.count += 1;
    return inserted;
  }

  /** A record goes with its receipts. */
  delete({ stream, epoch, position }: Place): void {
    this.#deleteReceipts.run(stream, epoch, position);
    this.count -= Number(this.#delete.run(stream, epoch, position).changes);
  }

  /** The newest record at or below `end`. */
  newest(stream: number, end: Cursor): Cursor | undefined {
    const row = this.#newest.get(stream, end.epoch, end.position);
    return row && cursorOf(row);
  }

  /** Whether the stream has records in this epoch behind this position. */
  has({ stream, epoch, position }: Place): boolean {
    return this.#above.get(stream, epoch, position) !== undefined;
  }
}

export function cursorOf(row: Row): Cursor {
  return { epoch: Number(row.epoch), position: row.position as Position };
}

/** A row of `RECORD_COLUMNS`, checked against its checksum. */
export function storedRow(row: Row, stream: string): StoredRow {
  const record: RecordRow = {
    position: String(row.position),
    kind: String(row.kind),
    origin: String(row.origin),
    key: String(row.key),
    attributes: String(row.attributes),
    data: row.data instanceof Uint8Array ? row.data : new Uint8Array(),
  };
  const intact = checksum(record) === row.crc;
  return { ...record, stream, epoch: Number(row.epoch), appendedAt: Number(row.appended_at), intact };
}

/** Of all that a record says; SQLite has no checksums of its own. */
function checksum({ position, kind, origin, key, attributes, data }: RecordRow): number {
  return crc32(data, crc32(`${position}\n${kind}\n${origin}\n${key}\n${attributes}`));
}
