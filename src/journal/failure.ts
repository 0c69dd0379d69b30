/** SQLite says the same of a page that the disk could not read. */
export const DAMAGED =
  'the file is damaged: move it away together with its -wal, and the next start makes a new one; but where the ' +
  "kernel's log tells of I/O errors, it is the disk that fails, and the file may be whole";

/** What an error of SQLite means to the person who has to mend it. */
const MEANINGS = new Map([
  [7, 'SQLite has no memory left'],
  [8, 'the file or its directory cannot be written: check their owner and mode, and that the volume is not read-only'],
  [
    10,
    'the disk failed, or the volume is read-only; what was acknowledged is safe if the disk still has it, and the next start goes on from there',
  ],
  [11, DAMAGED],
  [13, 'the disk is full'],
  [14, 'the file cannot be opened: check that it is a file, and that its directory can be written'],
  [26, 'the file is not an SQLite database, and so not a kube-fanout journal: give journal.path another name'],
]);

export const BUSY = 5;
export const CORRUPT = 11;
export const CONSTRAINT = 19;
export const FULL = 13;

/** SQLite's primary result code of an error of node:sqlite: https://sqlite.org/rescode.html */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

export function meaningOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const meaning = MEANINGS.get(resultCode(error) ?? 0);
  return meaning === undefined ? message : `${meaning} (SQLite: ${message})`;
}
