/** What the file's surroundings say: where a journal must not lie, and who has it open. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';

/**
 * statfs(2) types on which SQLite's locks and a WAL cannot be relied on:
 * https://sqlite.org/howtocorrupt.html#_file_locking_problems
 */
const NETWORK_FILE_SYSTEMS = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x564c, 'NCP'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'CephFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
]);

/** Makes the directory, and throws where a journal would not be safe. */
export async function prepareDirectory(path: string): Promise<void> {
  const directory = dirname(path);
  await makeDirectory(resolve(directory));
  if (process.platform !== 'linux') return;
  const { type } = await statfs(directory);
  const network = NETWORK_FILE_SYSTEMS.get(type >>> 0);
  if (network === undefined) return;
  throw new Error(
    `${directory} lies on ${network}: file locks cannot be relied on over the network, and two daemons would ruin ` +
      'the journal. Give journal.path a local disk or a block volume (in Kubernetes one that is ReadWriteOncePod)',
  );
}

/** Not by Node's own recursion, which never ends where a parent can neither be made nor be there, as below /proc. */
async function makeDirectory(directory: string): Promise<void> {
  const there = await stat(directory).catch(() => undefined);
  if (there?.isDirectory()) return;
  if (dirname(directory) !== directory) await makeDirectory(dirname(directory));
  await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST')
      throw new Error(`the directory ${directory} cannot be made: ${error.message}`, { cause: error });
  });
}

/**
 * A file beside the journal that says who has it open. It is no lock (SQLite's own lock on the file is), only a name
 * for it, and may be out of date after a crash.
 */
export class OwnerNote {
  readonly #path: string;
  constructor(path: string) {
    this.#path = `${path}-owner`;
  }

  write(): void {
    try {
      writeFileSync(this.#path, `pid ${process.pid} on ${hostname()} since ${new Date().toISOString()}\n`);
    } catch {
      // On a full disk the journal still has to be opened, and emptied.
    }
  }

  /** Undefined when nobody has left a note. */
  read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8').trim();
    } catch {
      return undefined;
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
