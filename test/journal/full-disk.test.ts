/** A disk that fills up for real: a small tmpfs in a mount namespace of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, truncate } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { appendLive, open, readAll, temporaryPlace } from './fixture.ts';

vi.setConfig({ testTimeout: 180_000 });

const APPENDS = fileURLToPath(new URL('./disk-full-process.ts', import.meta.url));
const ANY_MOMENT = fileURLToPath(new URL('./full-disk-process.ts', import.meta.url));
/** How often the disk is filled: `FULL_DISKS=100`. */
const FULL_DISKS = Number(process.env.FULL_DISKS ?? 5);

const canMount = spawnSync('unshare', ['-Urm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
if (!canMount) process.stderr.write('SKIPPED: no tmpfs can be mounted here, so no disk can be filled for real\n');

/** Runs a program of Node's with a tmpfs of this size at its first argument; the JSON lines that it has said. */
async function onSmallDisk(size: string, program: string, ...args: string[]): Promise<unknown[]> {
  const script = 'size=$0; mount -t tmpfs -o size=$size tmpfs "$3" && exec "$@"';
  await using place = await temporaryPlace();
  const argv = ['-Urm', 'sh', '-c', script, size, process.execPath, program, place.directory, ...args];
  // Whoever waits in there for ever ends as well, and has not said what was expected.
  const child = spawn('unshare', argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return said.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
}

test.skipIf(!canMount)(
  'on a full disk appends wait, and go on by themselves when there is room; nothing is lost',
  async () => {
    expect(await onSmallDisk('8m', APPENDS)).toEqual([
      { full: true },
      { waiting: true, rejected: 0 },
      { settled: true },
      { roomAgain: true },
      { acknowledged: expect.any(Number), missing: 0, intact: true, balanced: true },
    ]);
  },
);

test.skipIf(!canMount)(
  'on a disk that is full at any moment, deliveries go on from the reserve to the last record, also after a start',
  async () => {
    const [result, ...more] = await onSmallDisk(
      '48m',
      ANY_MOMENT,
      String(process.env.SEED ?? Date.now() % 1_000),
      String(FULL_DISKS),
    );
    expect(more).toEqual([]);
    const nothing = { refusedStarts: 1, undelivered: 0, imbalance: 0 };
    expect(result).toMatchObject({ ...nothing, usedReserve: expect.any(Number), acknowledged: expect.any(Number) });
  },
);

test('the reserve is really allocated, made again after a crash has cut it, and no part of the quota', async () => {
  await using place = await temporaryPlace();
  const options = { maxBytes: 16 * 1024 ** 2 };
  const reserve = `${place.path}-reserve`;
  const room = async () => (await stat(reserve)).blocks * 512;
  await using before = await open(place, options);
  expect(await room()).toBeGreaterThanOrEqual(options.maxBytes / 8);
  expect(await before.stats()).toMatchObject({ disk: 'ok' });
  expect((await before.stats()).bytes).toBeLessThan(options.maxBytes / 8);
  await before[Symbol.asyncDispose]();
  await truncate(reserve, 5_000);
  await truncate(reserve, options.maxBytes / 8);
  expect(await room()).toBeLessThan(options.maxBytes / 8);
  await using after = await open(place, options);
  expect(await room()).toBeGreaterThanOrEqual(options.maxBytes / 8);
  await appendLive(after, 1, 3);
  expect(await readAll(after)).toHaveLength(3);
  const zeros = (await readFile(reserve)).reduce((count, byte) => count + (byte === 0 ? 1 : 0), 0);
  expect(zeros).toBeLessThan(options.maxBytes / 8 / 100);
});
