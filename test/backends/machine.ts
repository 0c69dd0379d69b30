import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

const here = import.meta.dirname;
const run = promisify(execFile);

/** What was built or fetched once is kept here, under a name that changes with what it was made from. */
export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kube-fanout');

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The programs among `names` that are not on the PATH. Debian keeps some daemons in /usr/sbin, which it may lack. */
export async function missing(...names: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(names.map(locate));
  return names.filter((_, index) => found[index] === undefined);
}

export async function locate(name: string): Promise<string | undefined> {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/go/bin'];
  for (const directory of directories) {
    const path = join(directory, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}

/** Runs a short command, by its name or absolute path, and gives its standard output; an error holds what it printed. */
export async function command(name: string, args: readonly string[], cwd = here): Promise<string> {
  const path = isAbsolute(name) ? name : await locate(name);
  if (path === undefined) throw new Error(`${name} is not installed on this machine.`);
  const { stdout } = await run(path, args, { cwd, maxBuffer: 64 << 20 });
  return stdout;
}

/** A Go program of ours: `module` is a folder beside this file, `folder` the main package in it. */
export interface GoProgram {
  readonly module: string;
  readonly folder: string;
}

export const PSTEST: GoProgram = { module: 'pstest', folder: '.' };
export const TOXIPROXY: GoProgram = { module: 'toxiproxy', folder: '.' };
export const KUBE_APISERVER: GoProgram = { module: 'kube', folder: 'kube-apiserver' };
export const RECORDER: GoProgram = { module: 'kube', folder: 'recorder' };

/** Where the program is, or will be once it is built: keyed by its module files, its sources and the platform. */
export async function goProgramPath({ module, folder }: GoProgram): Promise<string> {
  const root = join(here, module);
  const sources = (await readdir(join(root, folder))).filter((file) => file.endsWith('.go')).sort();
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  for (const file of ['go.mod', 'go.sum', ...sources.map((source) => join(folder, source))])
    hash.update(await readFile(join(root, file)));
  const name = folder === '.' ? module : folder;
  return join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}`);
}

/** Builds the program unless the cache has it. Two builders at once both succeed: the last rename wins. */
export async function goProgram(program: GoProgram): Promise<string> {
  const path = await goProgramPath(program);
  if (await exists(path)) return path;
  await mkdir(CACHE, { recursive: true });
  process.stdout.write(`building ${program.module}/${program.folder}, once; kube-apiserver takes ten minutes\n`);
  const fresh = `${path}.${process.pid}`;
  await command('go', ['build', '-o', fresh, `./${program.folder}`], join(here, program.module));
  await rename(fresh, path);
  return path;
}
