import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { failpoint } from '../failpoint.ts';
import { BUSY, resultCode } from './failure.ts';
import { mend } from './mending.ts';
import type { Calls } from './protocol.ts';
import { diskBytes } from './reserve.ts';
import { addSeal, crcColumn } from './seal.ts';

/** `kfan`, in the header of the file: what has another one is somebody else's database. */
const APPLICATION_ID = 0x6b66616e;
const VERSION = 3;
/** Before it, resetting the WAL could corrupt the file: https://sqlite.org/releaselog/3_51_3.html */
const OLDEST_SQLITE = '3.51.3';

/**
 * Positions are text that sorts; a place is (stream, epoch, position). Small columns come before the wide ones, so that
 * retention reads no overflow pages. Receipts and parked messages refer to a record by its place, never by its rowid,
 * which SQLite uses again. What a stream has of records, and a route of parked messages, is counted where the count
 * cannot be lost together with them (inspection.ts).
 */
const TABLES = `
  CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    rv TEXT,
    floor TEXT,
    listing TEXT,
    history INTEGER NOT NULL,
    trimmed_epoch INTEGER NOT NULL DEFAULT 0,
    trimmed_position TEXT NOT NULL DEFAULT '',
    trimmed_at INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,
    keys INTEGER NOT NULL DEFAULT 0,
    ${crcColumn('streams')}
  ) STRICT;

  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    position TEXT NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    appended_at INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    key TEXT NOT NULL,
    attributes TEXT NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX records_place ON records (stream, epoch, position);
  CREATE INDEX records_gaps ON records (stream) WHERE kind = 'gap';

  CREATE TABLE routes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    read INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    filtered INTEGER NOT NULL DEFAULT 0,
    limited INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    replays INTEGER NOT NULL DEFAULT 0,
    dropped_by_command INTEGER NOT NULL DEFAULT 0,
    dropped_by_limit INTEGER NOT NULL DEFAULT 0,
    closed_at INTEGER,
    parked INTEGER NOT NULL DEFAULT 0,
    ${crcColumn('routes')}
  ) STRICT;

  CREATE TABLE cursors (
    route INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    position TEXT NOT NULL,
    ${crcColumn('cursors')},
    PRIMARY KEY (stream, route)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX cursors_route ON cursors (route);

  CREATE TABLE replays (
    route INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    position TEXT NOT NULL,
    number INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    ${crcColumn('replays')},
    PRIMARY KEY (route, stream)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE receipts (
    stream INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    position TEXT NOT NULL,
    route INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    receipt TEXT NOT NULL,
    PRIMARY KEY (stream, epoch, position, route)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE passed_over (
    route INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    from_epoch INTEGER NOT NULL,
    from_position TEXT NOT NULL,
    to_epoch INTEGER NOT NULL,
    to_position TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (stream, route, to_epoch, to_position, from_epoch, from_position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX passed_over_route ON passed_over (route);

  CREATE TABLE parked (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    position TEXT NOT NULL,
    destination TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    parked_at INTEGER NOT NULL,
    replay INTEGER NOT NULL DEFAULT 0,
    ${crcColumn('parked')}
  ) STRICT;
  CREATE INDEX parked_place ON parked (stream, epoch, position, route);
  CREATE INDEX parked_pending ON parked (route, id) WHERE state <> 'dead';
  CREATE INDEX parked_destination ON parked (route, destination, id) WHERE state IN ('retry', 'held');
  CREATE INDEX parked_lane ON parked (route, destination, key, id, state) WHERE state IN ('retry', 'held');
  CREATE INDEX parked_revived ON parked (route, id) WHERE state = 'revived';
  CREATE INDEX parked_dead ON parked (id) WHERE state = 'dead';
  CREATE INDEX parked_dead_route ON parked (route, id) WHERE state = 'dead';
  CREATE TRIGGER parked_more AFTER INSERT ON parked
    BEGIN UPDATE routes SET parked = parked + 1 WHERE id = new.route; END;
  CREATE TRIGGER parked_less AFTER DELETE ON parked
    BEGIN UPDATE routes SET parked = parked - 1 WHERE id = old.route; END;

  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};`;

/** SQLite's default. The WAL counts towards the quota: it is small when that or the disk is, and 16 MiB at most. */
const PAGE_BYTES = 4_096;

export interface Database {
  readonly db: DatabaseSync;
  /** What was damaged and what was done about it, in words. */
  readonly mended: readonly string[];
}

/** The open database, or undefined while another process holds it. Throws, in words, when it is of no use. */
export function openDatabase(options: Calls['open']['argument']): Database | undefined {
  const { path, sync, maxBytes, whenDamaged } = options;
  refuseOldSqlite(process.versions.sqlite ?? '0');
  refuseOrphan(path);
  const db = new DatabaseSync(path, { enableDoubleQuotedStringLiterals: false });
  addSeal(db);
  try {
    // Before the first access: the lock is then kept until the end, and the WAL needs no shared memory.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;');
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode;
    if (mode !== 'wal') throw new Error(`${path}: SQLite cannot keep a WAL here (journal_mode stays ${mode})`);
    const walPages = Math.round(Math.min(2_000, Math.max(64, Math.min(maxBytes, diskBytes(path)) / 16 / PAGE_BYTES)));
    db.exec(`PRAGMA synchronous = ${sync.toUpperCase()}; PRAGMA wal_autocheckpoint = ${walPages};
      PRAGMA journal_size_limit = ${2 * walPages * PAGE_BYTES};`);
    db.exec('BEGIN IMMEDIATE');
    createTables(db, path);
    const mended = mend(db, whenDamaged);
    db.exec('COMMIT');
    return { db, mended };
  } catch (error) {
    db.close();
    if (resultCode(error) === BUSY) return undefined;
    throw error;
  }
}

function createTables(db: DatabaseSync, path: string): void {
  const id = Number(db.prepare('PRAGMA application_id').get()?.application_id);
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  const tables = Number(db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count);
  if (tables === 0) {
    db.exec(TABLES);
    failpoint('journal.creating');
  } else if (id !== APPLICATION_ID) {
    throw new Error(`${path} is an SQLite database, but not a kube-fanout journal: give journal.path another name`);
  } else if (version !== VERSION) {
    throw new Error(
      `${path} was written by another version of kube-fanout (format ${version}, this one reads ${VERSION}): ` +
        'run that version, or move the file away with its -wal to start a new journal',
    );
  }
}

/** SQLite would make a new file and delete the WAL: the newest commits of a journal that has only been moved. */
function refuseOrphan(path: string): void {
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (sizeOf(path) > 0 || sizeOf(`${path}-wal`) === 0) return;
  throw new Error(`${path}-wal is there without its journal: put ${path} back, or move the -wal away as well`);
}

function refuseOldSqlite(version: string): void {
  if (version.localeCompare(OLDEST_SQLITE, 'en', { numeric: true }) >= 0) return;
  throw new Error(
    `this Node has SQLite ${version}, which may corrupt a journal: use one with ${OLDEST_SQLITE} or newer`,
  );
}
