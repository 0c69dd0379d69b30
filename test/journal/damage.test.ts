/** Damage to what decides: rows are written as a disk leaves them that flips bits, with a checksum that does not fit. */
import { readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import { openStopped } from '../../src/journal/open.ts';
import {
  appendLive,
  drain,
  event,
  imbalance,
  never,
  open,
  type Place,
  parkedAt,
  readAll,
  routeName,
  routeState,
  rv,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

const ROUTE = routeName('everything');
const OTHER = routeName('other');
const OLDEST = { startFrom: 'oldest', atQuota: 'expire' } as const;
const nothing = { cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };

/** Ten records, all delivered by two routes; the first two of them are parked on one, one of those a dead letter. */
async function stopped(place: Place): Promise<void> {
  await using journal = await open(place);
  await appendLive(journal, 1, 10);
  for (const route of [ROUTE, OTHER]) {
    await journal.openRoute(route, OLDEST);
    await drain(journal, route);
  }
  const [one, two] = await readAll(journal);
  if (!one || !two) throw new Error('ten were appended');
  const parked = [parkedAt(one), parkedAt(two, { state: 'dead', reason: 'too-large' })];
  await journal.settle({ ...nothing, route: ROUTE, counters: { delivered: -2, dead: 1 }, parked });
}

function damage(place: Place, change: string): void {
  using db = new DatabaseSync(place.path);
  db.function('seal', { deterministic: true, varargs: true }, () => 0);
  db.exec(change);
}

/** One bit of the entry says whether a value is text: https://sqlite.org/fileformat2.html, section 2.1. */
async function makeBytesOf({ path }: Place, position: string): Promise<void> {
  using db = new DatabaseSync(path);
  const page = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'records_place'").get();
  db.close();
  const file = await readFile(path);
  const start = (Number(page?.rootpage) - 1) * 4_096;
  const text = file.subarray(start, start + 4_096).indexOf(position);
  const type = file.lastIndexOf(13 + 2 * position.length, start + text);
  expect(text).toBeGreaterThan(0);
  expect(start + text - type).toBeLessThan(8);
  file[type] = (file[type] ?? 0) ^ 1;
  await writeFile(path, file);
}

/** Opened by the daemon, with what it has said. */
async function mended(place: Place) {
  const said: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => said.push(JSON.parse(line).msg) });
  const journal = await open(place, { log });
  return { journal, said };
}

async function expectQuiet(place: Place): Promise<void> {
  const { journal, said } = await mended(place);
  await journal[Symbol.asyncDispose]();
  expect(said).toEqual([]);
}

test('the checksum of a row covers every column of it, but for the row number', async () => {
  await using place = await temporaryPlace();
  await (await open(place))[Symbol.asyncDispose]();
  using db = new DatabaseSync(place.path, { readOnly: true });
  const tables = db.prepare("SELECT name, sql FROM sqlite_schema WHERE sql LIKE '%(seal(%'").all();
  expect(tables.map(({ name }) => name).sort()).toEqual(['cursors', 'parked', 'replays', 'routes', 'streams']);
  for (const { name, sql } of tables) {
    const sealed = /\(seal\(([^)]*)\)/.exec(String(sql))?.[1]?.split(', ') ?? [];
    const columns = db.prepare(`PRAGMA table_info(${name})`).all();
    const all = columns.map((column) => String(column.name)).filter((column) => column !== 'id');
    expect(sealed.toSorted(), `of ${name}`).toEqual(all.toSorted());
  }
});

test('a route whose cursor is damaged goes back to the oldest record that is kept, says so, and no other route does', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  damage(place, "UPDATE cursors SET position = '099' WHERE route = 1");
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('how far route everything has come in stream _all is not known')]);
  for (const route of [ROUTE, OTHER]) await journal.openRoute(route, OLDEST);
  expect(versions(await drain(journal, ROUTE))).toHaveLength(10);
  expect(await drain(journal, OTHER)).toEqual([]);
  expect((await journal.routes()).map(imbalance)).toEqual([0, 0]);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('a stream whose checkpoint is damaged begins again at the first revision of all, so that it is listed behind a gap', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  damage(place, "UPDATE streams SET rv = '999'");
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('where stream _all stood is not known')]);
  expect(await journal.streams()).toEqual([state(1, { epoch: 2 })]);
  for (const route of [ROUTE, OTHER]) await journal.openRoute(route, OLDEST);
  const known = await journal.lookUp(ALL_NAMESPACES, [event(7)], never);
  expect(known).toEqual(['unknown']);
  await journal.append({ records: [event(7), event(11)], state: state(11, { epoch: 2 }) }, never);
  expect(versions(await drain(journal, OTHER))).toEqual(['7', '11']);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('an entry of the index of records that has become bytes instead of text, and sorts behind all others, is made again', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  await makeBytesOf(place, event(5).position);
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('an index did not agree with its table')]);
  expect(versions(await readAll(journal))).toHaveLength(10);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('a list that was under way when its stream was damaged leaves no row unread', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await before.openRoute(ROUTE, OLDEST);
  const listing = { rv: rv(20), token: 'next', to: rv(20), gap: 'compacted', recovered: 2 } as const;
  await before.append({ records: [event(17), event(8)], state: state(3, { listing }) }, never);
  await before[Symbol.asyncDispose]();
  damage(place, 'UPDATE streams SET listing = NULL');
  const { journal } = await mended(place);
  await using _ = journal;
  expect(versions(await readAll(journal))).toEqual(['8', '17']);
});

test('damaged counters begin anew and balance, and the route goes on where it was', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  await (async () => {
    await using journal = await open(place);
    await appendLive(journal, 11, 12);
  })();
  damage(place, 'UPDATE routes SET delivered = delivered + 1048576 WHERE id = 1');
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('the counters of route everything were damaged, and begin anew')]);
  const before = await routeState(journal, ROUTE);
  expect(before).toMatchObject({ counters: { read: 2, dead: 1, delivered: 0 }, pending: 1, lag: 2 });
  expect(imbalance(before)).toBe(0);
  expect(versions(await drain(journal, ROUTE))).toEqual(['11', '12']);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('a parked message whose row is damaged is a dead letter, and the books balance', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  damage(place, "UPDATE parked SET detail = 'no suCh topic', parked_at = -7 WHERE id = 1");
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('parked messages whose rows were damaged are dead letters now: 1')]);
  const dead = (await Array.fromAsync(journal.deadLetters.find({}))).flat();
  expect(dead.map(({ reason, cursor }) => [reason, cursor.position])).toEqual([
    ['corrupt-record', '011'],
    ['too-large', '012'],
  ]);
  const route = await routeState(journal, ROUTE);
  expect(route).toMatchObject({ counters: { dead: 2 }, pending: 0 });
  expect(imbalance(route)).toBe(0);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test.for([
  ['that waits', 1],
  ['that is a dead letter', 2],
])('a route that has lost a parked message %s goes back to the oldest record of all', async ([, id]) => {
  await using place = await temporaryPlace();
  await stopped(place);
  // What retention has passed by is there as long as a parked message refers to it.
  const retains = await open(place, { retainMs: 0 });
  for (const route of [ROUTE, OTHER]) await retains.openRoute(route, OLDEST);
  await vi.waitUntil(async () => (await retains.stats()).records === 2, { timeout: 30_000 });
  await retains[Symbol.asyncDispose]();
  damage(place, `DROP TRIGGER parked_less; DELETE FROM parked WHERE id = ${id}`);
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('route everything has lost messages that were parked')]);
  const opened = await journal.openRoute(ROUTE, OLDEST);
  expect(opened).toMatchObject({ lag: 2 });
  expect(versions(await drain(journal, ROUTE))).toEqual(['1', '2']);
  expect((await journal.routes()).map(imbalance)).toEqual([0, 0]);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('a replay whose end is damaged goes on without the mark of one', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  await (async () => {
    await using journal = await open(place);
    await journal.replay(OTHER, { kind: 'oldest' });
  })();
  damage(place, "UPDATE replays SET position = '099'");
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('where a replay ends is not known')]);
  await journal.openRoute(OTHER, OLDEST);
  expect(versions(await drain(journal, OTHER))).toHaveLength(10);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('records that are gone without a trace are announced: their stream is listed again behind a gap', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  damage(place, "DELETE FROM records WHERE position = '017'");
  const { journal, said } = await mended(place);
  expect(said).toEqual([expect.stringContaining('some of its records are gone')]);
  expect(await journal.streams()).toEqual([state(1, { epoch: 2 })]);
  await journal[Symbol.asyncDispose]();
  await expectQuiet(place);
});

test('a journal that does not say which routes it had is refused in words, and left as it is', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  damage(place, 'DELETE FROM routes WHERE id = 1');
  for (const _ of [1, 2]) {
    await expect(open(place)).rejects.toThrow('the file is damaged: move it away together with its -wal');
  }
});

test('whoever only looks at a stopped journal mends nothing', async () => {
  await using place = await temporaryPlace();
  await stopped(place);
  damage(place, "UPDATE cursors SET position = '099' WHERE route = 1");
  await expect(openStopped(place.path, pino({ level: 'silent' }))).rejects.toThrow('start the daemon');
  const { journal, said } = await mended(place);
  await journal[Symbol.asyncDispose]();
  expect(said).toHaveLength(1);
});
