import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Defect, Row } from './defect.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LEFT_OUT = new Set(['node_modules', '.git', 'dist']);
const LIMIT_MS = 400_000;
const TSC = ['node_modules/typescript/bin/tsc', '--noEmit', '--noUnusedLocals', 'false'];
const LENIENT = ['--noUnusedParameters', 'false', '--allowUnreachableCode', 'true'];

export type Noticed =
  | { readonly kind: 'caught'; readonly by: string }
  | { readonly kind: 'missed' }
  /** The compiler refuses it, it does not fit the code any more, or its row fails without it: it proves nothing. */
  | { readonly kind: 'void'; readonly why: string };

/** Runs the defect's row in a copy of the code that has the defect. */
export async function notice(defect: Defect): Promise<Noticed> {
  await using copy = await copyOfTheCode();
  const path = join(copy.path, defect.file);
  const code = await readFile(path, 'utf8');
  if (code.split(defect.find).length !== 2) return { kind: 'void', why: `${defect.file} does not hold it once` };
  await writeFile(
    path,
    code.replace(defect.find, () => defect.put),
  );
  const types = await run(copy.path, [...TSC, ...LENIENT]);
  if (!types.passed) return { kind: 'void', why: types.said.trim().split('\n', 1)[0] ?? '' };
  const { passed, said } = await run(copy.path, commandOf(defect.row));
  return passed ? { kind: 'missed' } : { kind: 'caught', by: reasonIn(said) };
}

/** What the row says of the code as it is; undefined when it passes, as it should. */
export async function complaint(row: Row): Promise<string | undefined> {
  await using copy = await copyOfTheCode();
  const { passed, said } = await run(copy.path, commandOf(row));
  return passed ? undefined : reasonIn(said);
}

async function copyOfTheCode(): Promise<{ readonly path: string } & AsyncDisposable> {
  const copy = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-sabotage-'));
  await cp(ROOT, copy.path, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  await symlink(join(ROOT, 'node_modules'), join(copy.path, 'node_modules'));
  return { path: copy.path, [Symbol.asyncDispose]: () => copy.remove() };
}

function commandOf(row: Row): readonly string[] {
  if (row.kind === 'fault') return ['test/faults/main.ts', '--quick', '--seed', '1', '--only', row.fault];
  const quietly = ['--reporter', 'default', '--bail', '1'];
  return ['node_modules/vitest/vitest.mjs', 'run', '--project', row.kind, ...quietly, row.test];
}

async function run(cwd: string, args: readonly string[]): Promise<{ readonly passed: boolean; readonly said: string }> {
  const env = { ...process.env, NO_COLOR: '1', REQUIRE_BACKENDS: '1' };
  // A group of its own: what a defect has left running ends with it.
  const child = spawn(process.execPath, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => endGroup(child.pid);
  process.once('exit', end);
  const said = Promise.all([text(child.stderr), text(child.stdout)]);
  let late = '';
  const limit = setTimeout(() => {
    late = `FAIL it did not end within ${LIMIT_MS / 1_000} s\n`;
    end();
  }, LIMIT_MS);
  const [code] = await once(child, 'exit');
  clearTimeout(limit);
  process.off('exit', end);
  end();
  return { passed: code === 0, said: [late, ...(await said)].join('') };
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself, and left nothing.
  }
}

/** The first test that failed, or the first promise that was broken. */
function reasonIn(said: string): string {
  const found = /^ *FAIL +(.+)$/m.exec(said) ?? /^ {2}([A-Z][^\n]*: .+)$/m.exec(said);
  return (found?.[1] ?? said.trim().split('\n').at(-1) ?? '').replace(/^\|\w+\| \S+ > /, '').slice(0, 160);
}
