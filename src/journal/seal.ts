import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

/**
 * The columns that the checksum of a row covers, in the tables that decide what is read and delivered. SQLite has no
 * checksums of its own: a bit that flips in a cursor would skip Events, and nobody would know.
 */
const SEALED = {
  streams: [
    'name',
    'epoch',
    'rv',
    'floor',
    'listing',
    'history',
    'trimmed_epoch',
    'trimmed_position',
    'trimmed_at',
    'records',
    'keys',
  ],
  routes: [
    'name',
    'read',
    'delivered',
    'filtered',
    'limited',
    'dead',
    'expired',
    'replays',
    'dropped_by_command',
    'dropped_by_limit',
    'closed_at',
    'parked',
  ],
  cursors: ['route', 'stream', 'epoch', 'position'],
  replays: ['route', 'stream', 'epoch', 'position', 'number', 'asked_at'],
  parked: [
    'route',
    'stream',
    'epoch',
    'position',
    'destination',
    'key',
    'state',
    'reason',
    'detail',
    'parked_at',
    'replay',
  ],
} as const;

export type SealedTable = keyof typeof SEALED;

/** Every connection that writes to these tables needs it; who only reads does not. */
export function addSeal(db: DatabaseSync): void {
  db.function('seal', { deterministic: true, varargs: true, useBigIntArguments: true }, (...values) =>
    crc32(values.join('\n')),
  );
}

/** The column of the checksum, which SQLite itself writes with every row. */
export function crcColumn(table: SealedTable): string {
  return `crc INTEGER NOT NULL GENERATED ALWAYS AS (${sealOf(table)}) STORED`;
}

/** For a query: 1 when the row is as it was written. */
export function fits(table: SealedTable): string {
  return `crc = ${sealOf(table)}`;
}

/** Of a row of a query that asks for `fits` by that name. */
export function demandFit(row: Readonly<Record<string, unknown>>, what: string): void {
  if (row.fits === 1) return;
  throw new Error(`the file is damaged: ${what} does not fit its checksum; the next start mends what can be mended`);
}

function sealOf(table: SealedTable): string {
  return `seal(${SEALED[table].join(', ')})`;
}
