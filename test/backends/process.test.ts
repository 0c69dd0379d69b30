import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, Program, type ProgramSpec } from './process.ts';

const SERVER =
  "require('node:net').createServer((socket) => socket.destroy()).listen(Number(process.argv[1]), '127.0.0.1')";

test('a program that was killed starts again at the same port', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-process-'));
  const port = await freePort();
  await using program = await Program.start(server(directory.path, port));
  const first = program.pid;
  await program.kill();
  expect(program.pid).toBeUndefined();
  await expect(reach(port)).rejects.toThrow(/ECONNREFUSED/);
  await program.start();
  expect(program.pid).not.toBe(first);
  await reach(port);
});

test('a program that is frozen ends all the same when it is disposed of', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-process-'));
  const port = await freePort();
  const program = await Program.start(server(directory.path, port));
  program.pause();
  await program[Symbol.asyncDispose]();
  await expect(reach(port)).rejects.toThrow(/ECONNREFUSED/);
});

test('a program that ends instead of starting says why, in the words of its log', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-process-'));
  const spec = server(directory.path, 1);
  const failing = { ...spec, args: ['-e', "console.error('no such setting'); process.exit(3)"] };
  await expect(Program.start(failing)).rejects.toThrow(/server ended instead of starting.*no such setting/s);
});

test.runIf(process.platform === 'linux')(
  'a program ends with the runner that started it, even when that is killed',
  async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-process-'));
    const port = await freePort();
    const runner = startRunner(directory.path, port);
    await expect.poll(() => reach(port).then(() => 'serves', String), { timeout: 30_000 }).toBe('serves');
    runner.kill('SIGKILL');
    await expect.poll(() => reach(port).then(() => 'serves', String), { timeout: 10_000 }).toMatch(/ECONNREFUSED/);
  },
  60_000,
);

function server(directory: string, port: number): ProgramSpec {
  return {
    name: 'server',
    command: process.execPath,
    args: ['-e', SERVER, String(port)],
    log: join(directory, 'server.log'),
    ready: () => reach(port),
  };
}

async function reach(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect').finally(() => socket.destroy());
}

/** Another process that starts the server as a test would, and waits to be killed. */
function startRunner(directory: string, port: number): ChildProcess {
  const spec = JSON.stringify({ ...server(directory, port), ready: undefined });
  const code = `
    import { Program } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))};
    await Program.start({ ...${spec}, ready: async () => {} });
    setInterval(() => {}, 1_000);
  `;
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', code], { stdio: 'inherit' });
}
