import { execFile } from 'node:child_process';
import { cp, mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Defect, Row } from './defect.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LEFT_OUT = new Set(['node_modules', '.git', 'dist']);
const LIMIT_MS = 400_000;

export type Noticed =
  | { readonly kind: 'caught'; readonly by: string }
  | { readonly kind: 'missed' }
  /** The compiler refuses it, or it does not fit the code any more: it proves nothing. */
  | { readonly kind: 'void'; readonly why: string };

/** Runs the defect's row in a copy of the code that has the defect. */
export async function notice(defect: Defect): Promise<Noticed> {
  await using copy = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-sabotage-'));
  await cp(ROOT, copy.path, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  await symlink(join(ROOT, 'node_modules'), join(copy.path, 'node_modules'));
  const path = join(copy.path, defect.file);
  const text = await readFile(path, 'utf8');
  if (text.split(defect.find).length !== 2) return { kind: 'void', why: `${defect.file} does not hold it once` };
  await writeFile(
    path,
    text.replace(defect.find, () => defect.put),
  );
  const types = await run(copy.path, [
    'node_modules/.bin/tsc',
    '--noEmit',
    '--noUnusedLocals',
    'false',
    '--noUnusedParameters',
    'false',
    '--allowUnreachableCode',
    'true',
  ]);
  if (!types.passed) return { kind: 'void', why: types.text.trim().split('\n', 1)[0] ?? '' };
  const { passed, text: said } = await run(copy.path, commandOf(defect.row));
  return passed ? { kind: 'missed' } : { kind: 'caught', by: reasonIn(said) };
}

function commandOf(row: Row): readonly string[] {
  if (row.kind === 'fault') return ['test/faults/main.ts', '--quick', '--seed', '1', '--only', row.fault];
  return [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    row.kind,
    '--reporter',
    'default',
    '--bail',
    '1',
    row.test,
  ];
}

async function run(cwd: string, args: readonly string[]): Promise<{ readonly passed: boolean; readonly text: string }> {
  const [first = '', ...rest] = args;
  const script = first.endsWith('tsc') ? join(cwd, first) : first;
  const env = { ...process.env, NO_COLOR: '1', REQUIRE_BACKENDS: '1' };
  const options = { cwd, env, maxBuffer: 2 ** 28, timeout: LIMIT_MS, killSignal: 'SIGKILL' } as const;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...rest], options);
    return { passed: true, text: stdout };
  } catch (error) {
    const part = (name: 'stdout' | 'stderr') => (error instanceof Error ? String(Reflect.get(error, name) ?? '') : '');
    const said = `${part('stderr')}${part('stdout')}`;
    const late = error instanceof Error && 'killed' in error && error.killed === true;
    return { passed: false, text: late ? `FAIL it did not end within ${LIMIT_MS / 1_000} s\n${said}` : said };
  }
}

/** The first test that failed, or the first promise that was broken. */
function reasonIn(said: string): string {
  const found = /^ *FAIL +(.+)$/m.exec(said) ?? /^ {2}([A-Z][^\n]*: .+)$/m.exec(said);
  return (found?.[1] ?? said.trim().split('\n').at(-1) ?? '').replace(/^\|\w+\| \S+ > /, '').slice(0, 160);
}
