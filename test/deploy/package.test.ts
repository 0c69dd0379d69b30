import { execFile } from 'node:child_process';
import { copyFile, mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { freePort, Program } from '../backends/process.ts';
import { documentsOf, textOf } from './files.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });
const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(textOf('package.json'));

// What the image and the published package hold: JavaScript, far from the sources, with another way to its workers.
let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
let main: string;

beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-package-'));
  const dist = join(folder.path, 'dist');
  await execute(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'tsconfig.build.json'), '--outDir', dist]);
  await copyFile(join(root, 'package.json'), join(folder.path, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'));
  main = join(folder.path, JSON.parse(textOf('package.json')).bin['kube-fanout']);
});
afterAll(() => folder[Symbol.asyncDispose]());

test('the built command says its version', async () => {
  expect((await execute(process.execPath, [main, '--version'])).stdout).toBe(`${version}\n`);
});

test('the built daemon delivers what the built simulated cluster has, both started as compose starts them', async () => {
  const port = await freePort();
  const config = join(folder.path, 'config.yaml');
  await using _ = await startAs('cluster', ['8001', String(port)], async () => {
    const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
    if (status !== 200) throw new Error(`/readyz says ${status}`);
  });
  await writeFile(
    config,
    stringify({
      apiVersion: 'kube-fanout/v1alpha1',
      cluster: 'package',
      source: { kubernetes: { server: `http://127.0.0.1:${port}` } },
      journal: { path: join(folder.path, 'journal.db') },
      brokers: { out: { stdout: {} } },
      routes: [{ name: 'out', to: { broker: 'out' }, startFrom: 'oldest' }],
    }),
  );
  await using daemon = await startAs('daemon', ['/etc/kube-fanout/compose.yaml', config], async () => {
    const text = await readFile(join(folder.path, 'daemon.log'), 'utf8');
    if (!text.includes('"specversion":"1.0"')) throw new Error('no CloudEvent yet');
  });
  expect(daemon.pid).toBeDefined();
});

/** Runs the built command with the arguments of a compose service, one of them replaced by what fits here. */
function startAs(
  name: 'cluster' | 'daemon',
  [there, here]: [string, string],
  ready: () => Promise<void>,
): Promise<Program> {
  const Services = z.looseObject({
    services: z.record(z.string(), z.looseObject({ command: z.array(z.string()).optional() })),
  });
  const { services } = Services.parse(documentsOf('docker-compose.yml')[0]);
  const command = services[name]?.command ?? [];
  expect(command).toContain(there);
  const args = [
    main,
    ...command.map((argument) => (argument === there ? here : argument.replace('0.0.0.0', '127.0.0.1'))),
  ];
  return Program.start({ name, command: process.execPath, args, log: join(folder.path, `${name}.log`), ready });
}
