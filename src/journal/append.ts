import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { type RecordRow, unpackRecords } from './packed-records.ts';
import type { AppendResult, Changes } from './protocol.ts';
import type { StreamState } from './record.ts';
import { nextState, type Stream, type Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

/** Of all that is stored of a record but its place in the file; SQLite has no checksums of its own. */
export function checksum({ position, kind, origin, key, attributes, data }: RecordRow): number {
  return crc32(data, crc32(`${position}\n${kind}\n${origin}\n${key}\n${attributes}`));
}

/** Writes records, and keeps count of them. */
export class Appender {
  readonly #streams: Streams;
  readonly #insert;
  readonly #above;
  records: number;

  constructor(db: DatabaseSync, streams: Streams) {
    this.#streams = streams;
    this.#insert = db.prepare(
      `INSERT OR IGNORE INTO records (stream, epoch, position, kind, origin, appended_at, crc, key, attributes, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.records = Number(db.prepare('SELECT count(*) AS count FROM records').get()?.count);
    this.#above = db.prepare('SELECT 1 FROM records WHERE stream = ? AND epoch = ? AND position > ? LIMIT 1');
  }

  append({ state, records, appendedAt }: Changes['append']['argument']): AppendResult {
    const stream = this.#moved(state);
    const place = { stream: stream.id, epoch: state.epoch, appendedAt };
    const fresh = Uint8Array.from(unpackRecords(records), (row) => (this.insert(row, place) ? 1 : 0));
    return { state: stream.state, fresh, hidden: this.hidden(stream) };
  }

  insert(
    row: RecordRow,
    { stream, epoch, appendedAt }: { stream: number; epoch: number; appendedAt: number },
  ): boolean {
    const { position, kind, origin, key, attributes, data } = row;
    const crc = checksum(row);
    const values = [position, kind, origin, appendedAt, crc, key, attributes, data];
    const inserted = this.#insert.run(stream, epoch, ...values).changes === 1;
    if (inserted) this.records += 1;
    return inserted;
  }

  /** Whether rows of the stream's epoch stand above its watermark. */
  hidden({ id, state }: Stream): boolean {
    return this.#above.get(id, state.epoch, visibleEnd(state).position) !== undefined;
  }

  #moved(state: StreamState): Stream {
    const stream = this.#streams.get(state.stream);
    if (!stream) return this.#streams.create(state);
    const next = { ...stream, ...nextState(stream, state) };
    this.#streams.update(next);
    return next;
  }
}
