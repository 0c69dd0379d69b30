import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { Cursor, Position } from '../envelope/position.ts';
import type { RecordRow, StoredRow } from './packed-records.ts';

type Row = Record<string, unknown>;

/**
 * The place comes first: SQLite then takes it from the index that has led there, whose keys a start has added up, and not
 * from the row, which may be damaged. Numbers are cut to what JavaScript can hold, for the same reason.
 */
export const RECORD_COLUMNS =
  'epoch, position, kind, origin, appended_at & 9007199254740991 AS appended_at, crc & 4294967295 AS crc, key, attributes, data';

/** Keys are added up by this, a prime: see `keyOf`. */
const MODULUS = 1_000_000_007;
/**
 * `keyOf` in SQL, and NULL for a position that one flipped bit has made bytes instead of text: they look the same here, but
 * sort behind all text, and who reads in order would stop before them.
 */
const KEY = `(CASE typeof(position) WHEN 'text' THEN (epoch + 1000003 * unicode(position)
  + CAST(substr(position, 1, 15) AS INTEGER) + CAST(substr(position, 16, 15) AS INTEGER)
  + CAST(substr(position, 31) AS INTEGER)) % ${MODULUS} END)`;
/** A query of what each stream has of records, by the index alone: the columns stream, records, keys. */
export const SUMS = `SELECT stream, count(*) AS records, sum(${KEY}) % ${MODULUS} AS keys FROM records GROUP BY stream`;

/** Where a record stands in the file; `stream` is the id of the stream's row. */
export interface Place {
  readonly stream: number;
  readonly epoch: number;
  readonly position: string;
}

interface Sum {
  records: number;
  keys: number;
}

/** Writes and deletes records, and keeps count of them: of all, and in its row what each stream has, with their keys. */
export class Records {
  readonly #insert;
  readonly #delete;
  readonly #deleteReceipts;
  readonly #above;
  readonly #newest;
  readonly #total;
  /** Of each stream, by what the transaction has changed it. */
  readonly #changes = new Map<number, Sum>();
  #count: number;
  #committed: number;

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
    this.#total = db.prepare(
      `UPDATE streams SET records = records + ?, keys = (keys + ? + ${MODULUS}) % ${MODULUS} WHERE id = ?`,
    );
    this.#count = Number(db.prepare('SELECT total(records) AS count FROM streams').get()?.count);
    this.#committed = this.#count;
  }

  get count(): number {
    return this.#count;
  }

  /** False when there is one at its place already. */
  insert(
    row: RecordRow,
    to: { readonly stream: number; readonly epoch: number; readonly appendedAt: number },
  ): boolean {
    const { position, kind, origin, key, attributes, data } = row;
    const values = [position, kind, origin, to.appendedAt, checksum(row, to), key, attributes, data];
    const inserted = this.#insert.run(to.stream, to.epoch, ...values).changes === 1;
    if (inserted) this.#note({ ...to, position }, 1);
    return inserted;
  }

  /** A record goes with its receipts. */
  delete(place: Place): void {
    const { stream, epoch, position } = place;
    this.#deleteReceipts.run(stream, epoch, position);
    if (this.#delete.run(stream, epoch, position).changes === 1) this.#note(place, -1);
  }

  /** The last of a transaction: the streams' rows say what it has changed. */
  addUp(): void {
    for (const [stream, { records, keys }] of this.#changes) this.#total.run(records, keys % MODULUS, stream);
    this.#changes.clear();
  }

  committed(): void {
    this.#committed = this.#count;
  }

  rolledBack(): void {
    this.#changes.clear();
    this.#count = this.#committed;
  }

  #note({ stream, ...key }: Place, by: 1 | -1): void {
    const change = this.#changes.get(stream) ?? { records: 0, keys: 0 };
    change.records += by;
    change.keys += by * keyOf(key);
    this.#changes.set(stream, change);
    this.#count += by;
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

/** Of a record's key in the index, so that one that is lost, or has become another, changes the sum of all. */
function keyOf({ epoch, position }: Omit<Place, 'stream'>): number {
  const digits = [position.slice(0, 15), position.slice(15, 30), position.slice(30)];
  const sum = digits.reduce((all, part) => all + (Number.parseInt(part, 10) || 0), 0);
  return (epoch + 1_000_003 * (position.codePointAt(0) ?? 0) + sum) % MODULUS;
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
  const at = { epoch: Number(row.epoch), appendedAt: Number(row.appended_at) };
  const intact = checksum(record, at) === row.crc;
  return { ...record, ...at, stream, intact };
}

/** Of all that a record says; SQLite has no checksums of its own. */
function checksum(
  { position, kind, origin, key, attributes, data }: RecordRow,
  { epoch, appendedAt }: { readonly epoch: number; readonly appendedAt: number },
): number {
  return crc32(data, crc32(`${epoch}\n${appendedAt}\n${position}\n${kind}\n${origin}\n${key}\n${attributes}`));
}
