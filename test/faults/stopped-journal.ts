/** What a stopped daemon's journal holds, read by plain SQL and by nothing of the daemon's own. */
import { cp, mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RouteCounters } from './scrape.ts';

/** One route's side of the journal. */
interface StoppedRoute {
  readonly counters: RouteCounters;
  /** Rows of receipts. */
  readonly receipts: number;
  /** The receipt of each CloudEvent that has one, by its id, as the adapter wrote it: JSON. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** The reason of each dead letter, by its id. */
  readonly dead: ReadonlyMap<string, string>;
  /** Ids of what is parked and waits. */
  readonly waiting: ReadonlySet<string>;
}

export interface StoppedJournal {
  readonly routes: ReadonlyMap<string, StoppedRoute>;
  /** The first epoch of each CloudEvent in it by its id, gap records too; a restored cluster's come again in another. */
  readonly records: ReadonlyMap<string, number>;
  /** Up to where each stream has been read, by its name; none where there is no checkpoint. */
  readonly checkpoints: ReadonlyMap<string, bigint | undefined>;
  /** Whether retention has deleted any record, and with it its receipts. */
  readonly trimmed: boolean;
  /** The highest epoch of any stream. */
  readonly epochs: number;
}

/** What the file holds is not looked at before the daemon has ended. */
export const UNREAD: StoppedJournal = {
  routes: new Map(),
  records: new Map(),
  checkpoints: new Map(),
  trimmed: false,
  epochs: 0,
};

type Row = Record<string, unknown>;

/** A copy, so that the file is left as the daemon left it: a WAL that is not read yet stays one. */
export async function openCopy(journal: string): Promise<AsyncDisposable & { readonly db: DatabaseSync }> {
  await using scope = new AsyncDisposableStack();
  const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-stopped-')));
  const path = join(directory, 'journal.db');
  await cp(journal, path);
  await cp(`${journal}-wal`, `${path}-wal`).catch(() => {});
  const db = scope.use(new DatabaseSync(path));
  const owned = scope.move();
  return { db, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export async function readStopped(journal: string): Promise<StoppedJournal> {
  await using copy = await openCopy(journal);
  const { db } = copy;
  const all = (sql: string, ...values: (string | number)[]): Row[] => db.prepare(sql).all(...values);
  const texts = (sql: string, ...values: number[]) =>
    new Map(all(sql, ...values).map(({ id, text }) => [String(id), String(text)]));
  const id = "json_extract(r.attributes, '$.id') AS id";
  const streams = all('SELECT name, epoch, rv, trimmed_position FROM streams');
  return {
    records: new Map(
      all(`SELECT ${id}, r.epoch FROM records r ORDER BY r.id DESC`).map((row) => [String(row.id), Number(row.epoch)]),
    ),
    checkpoints: new Map(streams.map(({ name, rv }) => [String(name), rv === null ? undefined : BigInt(String(rv))])),
    trimmed: streams.some(({ trimmed_position }) => trimmed_position !== ''),
    epochs: Math.max(0, ...streams.filter(({ name }) => name !== '_gaps').map(({ epoch }) => Number(epoch))),
    routes: new Map(
      all('SELECT * FROM routes').map((row) => {
        const route = Number(row.id);
        const parked = `SELECT ${id}, p.reason AS text FROM parked p JOIN records r USING (stream, epoch, position)
                        WHERE p.route = ? AND`;
        return [
          String(row.name),
          {
            counters: countersOf(row, all),
            receipts: Number(all('SELECT count(*) AS count FROM receipts WHERE route = ?', route)[0]?.count),
            acknowledged: texts(
              `SELECT ${id}, t.receipt AS text FROM receipts t JOIN records r USING (stream, epoch, position)
               WHERE t.route = ?`,
              route,
            ),
            dead: texts(`${parked} p.state = 'dead'`, route),
            waiting: new Set(texts(`${parked} p.state <> 'dead'`, route).keys()),
          },
        ];
      }),
    ),
  };
}

/** Pending and lag are counted here, row by row, whatever the daemon says of them. */
function countersOf(row: Row, all: (sql: string, ...values: number[]) => Row[]): RouteCounters {
  const route = Number(row.id);
  const count = (sql: string) => Number(all(sql, route)[0]?.count);
  return {
    read: Number(row.read),
    delivered: Number(row.delivered),
    filtered: Number(row.filtered),
    limited: Number(row.limited),
    dead: Number(row.dead),
    expired: Number(row.expired),
    pending: count("SELECT count(*) AS count FROM parked WHERE route = ? AND state <> 'dead'"),
    lag: count(
      `SELECT count(*) AS count FROM records r JOIN streams s ON s.id = r.stream AND s.name <> '_gaps'
       LEFT JOIN cursors c ON c.stream = r.stream AND c.route = ?
       WHERE c.epoch IS NULL OR (r.epoch, r.position) > (c.epoch, c.position)`,
    ),
  };
}
