import type { DatabaseSync } from 'node:sqlite';
import { type PackedPage, packPage, type StoredRow } from './packed-records.ts';
import type { Calls } from './protocol.ts';
import { RECORD_COLUMNS, storedRow } from './records.ts';
import type { Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

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
