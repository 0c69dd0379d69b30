import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import {
  appendLive,
  cursorOf,
  event,
  imbalance,
  never,
  open,
  type Place,
  parkedAt,
  readAll,
  routeName,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

const APPENDER = fileURLToPath(new URL('./appender-process.ts', import.meta.url));

type Line = Readonly<Record<string, unknown>>;
type Child = ChildProcessByStdio<null, Readable, null>;

function start(command: string, args: readonly string[]): Child {
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function* linesOf(child: Child): AsyncGenerator<Line> {
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
}

async function expectAllUpTo(place: Place, acknowledged: number): Promise<void> {
  await using journal = await open(place);
  const found = versions(await readAll(journal, undefined, { records: 1_000 }));
  expect(found.length).toBeGreaterThanOrEqual(acknowledged);
  expect(found).toEqual(found.map((_, index) => String(index + 1)));
  expect((await journal.streams())[0]?.rv).toBe(found.at(-1));
}

test('a daemon that is killed in the middle of its appends has lost nothing that was acknowledged', async () => {
  await using place = await temporaryPlace();
  for (const kills of [20, 37, 80]) {
    const child = start(process.execPath, [APPENDER, place.path, 'normal']);
    let acknowledged = 0;
    let batches = 0;
    for await (const line of linesOf(child)) {
      if (typeof line.acknowledged !== 'number') continue;
      acknowledged = line.acknowledged;
      batches += 1;
      if (batches === kills) child.kill('SIGKILL');
    }
    expect(acknowledged).toBeGreaterThan(0);
    await expectAllUpTo(place, acknowledged);
  }
});

test('a second daemon says whom it waits for, and takes over when the first one has died', async () => {
  await using place = await temporaryPlace();
  const child = start(process.execPath, [APPENDER, place.path, 'normal']);
  await linesOf(child).next();
  const waits = Promise.withResolvers<string>();
  const log = pino({ level: 'warn' }, { write: waits.resolve });
  const opening = open(place, { log });
  const said = JSON.parse(await waits.promise);
  expect(said).toMatchObject({ path: place.path, owner: expect.stringContaining(`pid ${child.pid} on `) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await using journal = await opening;
  await journal.append({ records: [], state: (await journal.streams())[0] ?? expect.unreachable() }, never);
});

test('a daemon that waits for the lock stops waiting when it is told to', async () => {
  await using place = await temporaryPlace();
  await using first = await open(place);
  const controller = new AbortController();
  const log = pino({ level: 'warn' }, { write: () => controller.abort(new Error('stop')) });
  await expect(open(place, { log }, controller.signal)).rejects.toThrow('stop');
  await appendLive(first, 1, 1);
});

test.for([
  ['in its data', 'x-marks-the-spot', 'X'],
  ['in its attributes', '"id":"uid.2"', '|'],
])('a record damaged on the disk %s says so, and the others are read', async ([, spot = '', byte = '']) => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  const marked = { ...event(2), data: Buffer.from('{"note":"x-marks-the-spot"}') };
  await before.append({ records: [event(1), marked, event(3)], state: state(3) }, never);
  await before[Symbol.asyncDispose]();
  const file = await readFile(place.path);
  const at = file.indexOf(spot);
  expect(file.indexOf(spot, at + 1)).toBe(-1);
  file.write(byte, at);
  await writeFile(place.path, file);
  await using after = await open(place);
  expect((await readAll(after)).map(({ intact }) => intact)).toEqual([true, false, true]);
});

test('when SQLite finds its file damaged, the journal says what to do, and takes nothing more', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await appendLive(before, 1, 200, 1_000);
  await before[Symbol.asyncDispose]();
  const file = await readFile(place.path);
  for (let at = file.indexOf('"id":"uid.'); at >= 0; at = file.indexOf('"id":"uid.', at + 4_096)) {
    file.fill(0x5a, at - (at % 4_096), at - (at % 4_096) + 64);
  }
  await writeFile(place.path, file);
  await using after = await open(place);
  await expect(readAll(after)).rejects.toThrow('the file is damaged: move it away together with its -wal');
  await expect(appendLive(after, 201, 201)).rejects.toThrow('damaged');
});

test('a journal of whose records not even the index can be read is refused at every start, in the same words', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await appendLive(before, 1, 200, 1_000);
  await before[Symbol.asyncDispose]();
  const file = await readFile(place.path);
  for (let page = 20; page < 60; page += 1) file.fill(0x5a, page * 4_096, page * 4_096 + 64);
  await writeFile(place.path, file);
  for (const _ of [1, 2]) {
    await expect(open(place)).rejects.toThrow('the file is damaged: move it away together with its -wal');
  }
});

test('what is no journal is refused in words, and left as it is', async () => {
  await using place = await temporaryPlace();
  await writeFile(place.path, 'This is a text file that somebody needs. '.repeat(100));
  await expect(open(place)).rejects.toThrow(`the journal ${place.path}: the file is not an SQLite database`);
  await using other = await temporaryPlace();
  const db = new DatabaseSync(other.path);
  db.exec('CREATE TABLE somebody_elses (value)');
  db.close();
  await expect(open(other)).rejects.toThrow('not a kube-fanout journal');
  await using newer = await temporaryPlace();
  await (await open(newer))[Symbol.asyncDispose]();
  const future = new DatabaseSync(newer.path);
  future.exec('PRAGMA user_version = 99');
  future.close();
  await expect(open(newer)).rejects.toThrow('format 99');
});

test('when the disk fails the journal says so once, takes nothing more, and the next start has all that was acknowledged', async () => {
  await using place = await temporaryPlace();
  // A limit on the size of files makes writes fail with EFBIG, which is as good as any I/O error.
  const script = 'ulimit -f 8192; exec "$0" "$@"';
  const child = start('sh', ['-c', script, process.execPath, APPENDER, place.path, 'normal']);
  const lines: Line[] = [];
  for await (const line of linesOf(child)) lines.push(line);
  expect(lines.filter(({ level }) => level === 60)).toHaveLength(1);
  expect(lines.find(({ failed }) => failed)).toEqual({ failed: expect.stringContaining('JournalFailed: the journal') });
  expect(lines.at(-1)).toEqual({ again: 'JournalFailed' });
  const acknowledged = Math.max(...lines.map((line) => Number(line.acknowledged ?? 0)));
  expect(acknowledged).toBeGreaterThan(0);
  await expectAllUpTo(place, acknowledged);
});

test.for([
  ['the file', ''],
  ['its -wal', '-wal'],
])(
  'when %s is deleted under the daemon, the journal acknowledges nothing more, and says what to do',
  async ([what = '', end = '']) => {
    await using place = await temporaryPlace();
    await using journal = await open(place);
    await appendLive(journal, 1, 5);
    await rm(`${place.path}${end}`);
    await expect(appendLive(journal, 6, 6)).rejects.toThrow(`${place.path}: ${what} was deleted, moved or replaced`);
    await expect(appendLive(journal, 7, 7)).rejects.toThrow('put it and its -wal back');
  },
);

test('what a route has pending is counted from its parked messages, and never computed, so that a wrong counter shows', async () => {
  await using place = await temporaryPlace();
  const route = routeName('r');
  await using journal = await open(place);
  await journal.openRoute(route, { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(journal, 1, 2);
  const [one = expect.unreachable()] = await readAll(journal);
  const cursors = new Map([[ALL_NAMESPACES, cursorOf(one)]]);
  await journal.settle({ route, cursors, counters: { read: 2 }, receipts: [], parked: [parkedAt(one)], unparked: [] });
  const [state] = await journal.routes();
  expect(state?.pending).toBe(1);
  expect(state && imbalance(state)).toBe(1);
});

test('a journal that is replaced by another while nothing happens says so by itself', async () => {
  await using place = await temporaryPlace();
  const said = Promise.withResolvers<string>();
  const log = pino({ level: 'fatal' }, { write: said.resolve });
  await using journal = await open(place, { log });
  await appendLive(journal, 1, 5);
  await writeFile(`${place.path}.new`, '');
  await rename(`${place.path}.new`, place.path);
  expect(await said.promise).toContain('the file was deleted, moved or replaced');
});

test('a WAL whose journal is gone is not thrown away', async () => {
  await using place = await temporaryPlace();
  const child = start(process.execPath, [APPENDER, place.path, 'normal']);
  for await (const line of linesOf(child)) if (line.acknowledged) child.kill('SIGKILL');
  await rename(place.path, `${place.path}.aside`);
  await expect(open(place)).rejects.toThrow(`${place.path}-wal is there without its journal: put ${place.path} back`);
  await rename(`${place.path}.aside`, place.path);
  await using journal = await open(place);
  expect((await readAll(journal)).length).toBeGreaterThan(0);
});
