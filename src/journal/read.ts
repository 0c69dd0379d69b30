import type { DatabaseSync } from 'node:sqlite';
import type { Cursor, Position } from '../envelope/position.ts';
import { checksum } from './append.ts';
import { type PackedPage, packPage, type RecordRow, type StoredRow } from './packed-records.ts';
import type { Calls } from './protocol.ts';
import type { Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

type Row = Record<string, unknown>;

export const RECORD_COLUMNS = 'epoch, position, kind, origin, appended_at, crc, key, attributes, data';

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

export class Reader {
  readonly #streams: Streams;
  readonly #behind;

  constructor(db: DatabaseSync, streams: Streams) {
    this.#streams = streams;
    this.#behind = db.prepare(
      `SELECT ${RECORD_COLUMNS} FROM records
       WHERE stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)
       ORDER BY epoch, position LIMIT ?`,
    );
  }

  /** A page: at least one record, however large, if there is any. */
  read({ stream: name, after, limit }: Calls['read']['argument']): PackedPage {
    const stream = this.#streams.get(name);
    const rows: StoredRow[] = [];
    if (!stream) return packPage(rows);
    const end = visibleEnd(stream.state);
    let bytes = 0;
    const range = [after.epoch, after.position, end.epoch, end.position];
    for (const row of this.#behind.iterate(stream.id, ...range, limit.records)) {
      const record = storedRow(row, name);
      bytes += record.data.length;
      if (bytes > limit.bytes && rows.length > 0) break;
      rows.push(record);
    }
    return packPage(rows);
  }
}

export function cursorOf(row: Row): Cursor {
  return { epoch: Number(row.epoch), position: row.position as Position };
}
