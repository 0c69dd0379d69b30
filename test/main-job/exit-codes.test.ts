import { execFile } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

test('an unknown flag ends it with 2, and names the flag', async () => {
  const { code, said } = await run(['run', '--frobnicate']);
  expect(said).toContain("unknown option '--frobnicate'");
  expect(code).toBe(2);
});

test('an unknown command ends it with 2', async () => {
  expect((await run(['frobnicate'])).code).toBe(2);
});

test('an invalid config ends it with 1, and names the line', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-exit-'));
  const file = join(directory.path, 'wrong.yaml');
  await writeFile(file, 'apiVersion: kube-fanout/v1alpha1\ncluster: test\nbroker: {}\nroutes: []\n');
  const { code, said } = await run(['run', '-c', file]);
  expect(said).toContain('wrong.yaml:3');
  expect(code).toBe(1);
});

test('without a cluster it ends with 3, says where it has looked, and what works without one', async () => {
  await using home = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-exit-'));
  const { code, said } = await run(['run'], { HOME: home.path, KUBECONFIG: '', KUBERNETES_SERVICE_HOST: '' });
  expect(said).toContain(`there is no kubeconfig at ${join(home.path, '.kube', 'config')}`);
  expect(said).toContain('kube-fanout demo');
  expect(code).toBe(3);
});

test('a journal that cannot be opened ends it with 4, and is named', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-exit-'));
  const [file, journal] = [join(directory.path, 'config.yaml'), join(directory.path, 'journal.db')];
  await writeFile(journal, 'this is no journal, and long enough for SQLite to see that: '.repeat(100));
  await writeConfig(file, journal);
  const { code, said } = await run(['run', '-c', file]);
  expect(said).toContain(journal);
  expect(code).toBe(4);
});

test.skipIf(process.platform !== 'linux')(
  'a journal below a directory that cannot be made ends it with 4',
  async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-exit-'));
    const file = join(directory.path, 'config.yaml');
    await writeConfig(file, '/proc/nowhere/journal.db');
    const { code, said } = await run(['run', '-c', file]);
    expect(said).toContain('the directory /proc/nowhere cannot be made');
    expect(code).toBe(4);
  },
);

async function writeConfig(file: string, journal: string): Promise<void> {
  const source = 'source: { kubernetes: { server: "http://127.0.0.1:1" } }';
  const routes = 'brokers: { screen: { stdout: {} } }\nroutes: [{ name: all, to: { broker: screen } }]';
  const head = `apiVersion: kube-fanout/v1alpha1\ncluster: test\njournal: { path: "${journal}" }`;
  await writeFile(file, `${head}\n${source}\n${routes}\n`);
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return new Promise<{ readonly code: number | null; readonly said: string }>((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 20_000 };
    const child = execFile(process.execPath, [MAIN, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, said: stdout + stderr });
    });
  });
}
