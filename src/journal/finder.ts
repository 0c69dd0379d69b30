import type { DatabaseSync } from 'node:sqlite';
import { parseResourceVersion, positionOf } from '../envelope/position.ts';
import { packPage, type StoredRow } from './packed-records.ts';
import type { Wanted } from './paper-trail.ts';
import type { Calls } from './protocol.ts';
import { type Place, RECORD_COLUMNS, storedRow } from './records.ts';
import type { Streams } from './streams.ts';

type Row = Record<string, unknown>;

/** Rows that one question looks at: a commit that comes meanwhile waits for it, a few milliseconds. */
const STEP = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;

/**
 * Finds stored records for a person. There is no index by object, which would cost every append two thirds of its speed:
 * so an object's records are looked for from the newest row on, some thousand rows a question.
 */
export class Finder {
  readonly #streams: Streams;
  readonly #last;
  readonly #first;
  readonly #named;
  readonly #at;
  readonly #gaps;
  readonly #gap;

  constructor(db: DatabaseSync, streams: Streams) {
    this.#streams = streams;
    this.#first = db.prepare('SELECT min(id) AS id FROM records');
    this.#last = db.prepare('SELECT max(id) AS id FROM records');
    const columns = `id, stream, ${RECORD_COLUMNS}`;
    this.#named = db.prepare(
      `SELECT ${columns} FROM records WHERE id < ? AND id >= ? AND substr(key, -length(?)) = ? ORDER BY id DESC`,
    );
    this.#at = db.prepare(`SELECT ${columns} FROM records WHERE stream = ? AND epoch = ? AND position = ?`);
    this.#gaps = db.prepare(`SELECT ${columns} FROM records WHERE kind = 'gap' ORDER BY id DESC LIMIT ?`);
    this.#gap = db.prepare(
      `SELECT ${columns} FROM records WHERE kind = 'gap' AND instr(attributes, ?) > 0 ORDER BY id DESC LIMIT 100`,
    );
  }

  /** Newest first. `before` is where to go on; undefined at the end. */
  find({ what, before }: Calls['find']['argument']): Calls['find']['result'] {
    if (what.kind === 'id') return { page: this.#pageOf(this.#withId(what.id)).page, before: undefined };
    const top = before ?? Number(this.#last.get()?.id ?? 0) + 1;
    const bottom = Math.max(top - STEP, 0);
    const suffix = `/${what.name}`;
    const found = this.#named.iterate(top, bottom, suffix, suffix);
    const { page, stoppedAt } = this.#pageOf(only(found, ({ key }) => isMeant(String(key), what)));
    const next = stoppedAt ?? bottom;
    const first = this.#first.get()?.id;
    const isEnd = typeof first !== 'number' || next <= first;
    return { page, before: isEnd ? undefined : next };
  }

  gaps(limit: Calls['gaps']['argument']): Calls['gaps']['result'] {
    return this.#pageOf(this.#gaps.iterate(limit)).page;
  }

  /** The position follows from the id; where it stands in the file, from that. */
  *#withId(id: string): Generator<Row> {
    if (/^gap\./.test(id)) {
      yield* this.#gap.all(JSON.stringify(id));
      return;
    }
    const rv = parseResourceVersion(id.slice(id.lastIndexOf('.') + 1));
    if (rv === undefined) return;
    for (const place of this.#everyEpoch(positionOf(rv))) {
      const row = this.#at.get(place.stream, place.epoch, place.position);
      if (row !== undefined && String(row.attributes).includes(JSON.stringify(id))) yield row;
    }
  }

  *#everyEpoch(position: string): Generator<Place> {
    for (const { id: stream, state } of this.#streams.all().toReversed())
      for (let epoch = state.epoch; epoch >= 0; epoch -= 1) yield { stream, epoch, position };
  }

  #pageOf(found: Iterable<Row>): {
    readonly page: ReturnType<typeof packPage>;
    readonly stoppedAt: number | undefined;
  } {
    const rows: StoredRow[] = [];
    let bytes = 0;
    let last: number | undefined;
    for (const row of found) {
      const record = storedRow(row, this.#streams.withId(Number(row.stream)).state.stream);
      bytes += record.data.length;
      if (bytes > PAGE_BYTES && rows.length > 0) return { page: packPage(rows), stoppedAt: last };
      rows.push(record);
      last = Number(row.id);
    }
    return { page: packPage(rows), stoppedAt: undefined };
  }
}

function* only(rows: Iterable<Row>, wanted: (row: Row) => boolean): Generator<Row> {
  for (const row of rows) if (wanted(row)) yield row;
}

/** `pod` is the kind of `Pod/web/a`, and `deployment`, as well as `deployment.apps`, of `Deployment.apps/web/a`. */
function isMeant(key: string, { kinds, namespaces }: Extract<Wanted, { kind: 'object' }>): boolean {
  const [type = '', namespace = ''] = key.split('/');
  if (namespaces && !namespaces.includes(namespace)) return false;
  const kind = type.toLowerCase();
  return kinds.some((wanted) => kind === wanted || kind.startsWith(`${wanted}.`));
}
