import { statSync } from 'node:fs';

/**
 * That the paths still lead to the files that SQLite has open. Who deletes or replaces them would go unnoticed: writing
 * goes on into files without a name, and the next start finds nothing of it.
 *
 * They are only looked at: whoever opens and closes the file itself gives up SQLite's lock on it.
 */
export class OpenFiles {
  readonly #path: string;
  readonly #file: string;
  readonly #wal: string;

  /** Right after SQLite has opened them. */
  constructor(path: string) {
    this.#path = path;
    this.#file = identityOf(path).id;
    this.#wal = identityOf(`${path}-wal`).id;
  }

  /** The size of the WAL; throws, in words, when one of the two is gone or another. */
  check(): { readonly walBytes: number } {
    const wal = identityOf(`${this.#path}-wal`);
    if (identityOf(this.#path).id !== this.#file) throw new Error(gone('the file'));
    if (wal.id !== this.#wal) throw new Error(gone('its -wal'));
    return { walBytes: wal.size };
  }
}

function identityOf(path: string): { readonly id: string; readonly size: number } {
  const file = statSync(path, { throwIfNoEntry: false });
  return file ? { id: `${file.dev}:${file.ino}`, size: file.size } : { id: 'none', size: 0 };
}

function gone(what: string): string {
  return (
    `${what} was deleted, moved or replaced while in use, and what is written to it now nobody would find again. ` +
    'If it was moved, put it and its -wal back; else the next start makes a new journal and reads what the API ' +
    'server still has'
  );
}
