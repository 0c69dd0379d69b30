/**
 * Fills the file system of `node full-disk-process.ts DIRECTORY SEED ROUNDS` at any moment of a journal's life: while it
 * is made, appends, delivers, deletes, checkpoints, closes or starts. Each time everything that was acknowledged must be
 * delivered before there is room again. Says in one JSON line what came of it.
 */
import { closeSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import { appendLive, cursorOf, imbalance, onlyOnSmallDisk, open, readAll, routeName, routeState } from './fixture.ts';

const [directory = '', seed = '0', rounds = '1'] = process.argv.slice(2);
const random = fc.sample(fc.integer({ min: 0, max: 99 }), { seed: Number(seed), numRuns: 8 * Number(rounds) }).values();
const oneOf = <T>(first: T, ...others: T[]): T => {
  const all = [first, ...others];
  return all[(random.next().value ?? 0) % all.length] ?? first;
};
onlyOnSmallDisk(directory);
const ballast = join(directory, 'ballast');
const FULL = 'the disk of the journal is full';
const ROUTE = routeName('everything');
const said: string[] = [];
const log = pino({}, { write: (line) => said.push(JSON.parse(line).msg) });
const times = (words: string) => said.filter((message) => message.startsWith(words)).length;

let asked = 0;
let acknowledged = 0;
let slowest = 0;
let refusedStarts = 0;
let usedReserve = 0;

/** To the last byte, or with a few pages left. */
function fill(left: number): void {
  const file = openSync(ballast, 'a');
  const block = Buffer.alloc(64 * 1024);
  let size = 0;
  try {
    while (true) size += writeSync(file, block);
  } catch {
    if (left > 0) truncateSync(ballast, Math.max(0, size - left));
  } finally {
    closeSync(file);
  }
}

async function start(): Promise<Journal> {
  const opened = await open(
    { path: join(directory, 'journal.db') },
    { sync: 'full', retainMs: oneOf(0, 3_600_000), log },
  );
  await opened.openRoute(ROUTE, { startFrom: 'oldest', atQuota: 'block' });
  return opened;
}

function appendOn(until: () => boolean): Promise<void> {
  const one = async (): Promise<void> => {
    while (!until()) {
      const first = asked + 1;
      asked += 10;
      const last = asked;
      await appendLive(journal, first, last, 2_000);
      acknowledged = last;
    }
  };
  return one();
}

/** One window of what is before the route; false when there is nothing. */
async function deliver(): Promise<boolean> {
  const { cursors } = await routeState(journal, ROUTE);
  const records = (await readAll(journal, cursors.get(ALL_NAMESPACES))).slice(0, 200);
  const last = records.at(-1);
  if (!last) return false;
  const receipt = { topic: 'events', partition: 3, offset: 1_234_567 };
  await journal.settle({
    route: ROUTE,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(last)]]),
    counters: { read: records.length, delivered: records.length },
    receipts: records.map((record) => ({ stream: ALL_NAMESPACES, cursor: cursorOf(record), receipt, deliveredAt: 0 })),
    parked: [],
    unparked: [],
  });
  return true;
}

async function round(): Promise<void> {
  const phase = oneOf('append', 'deliver', 'reopen', 'close');
  let enough = false;
  const appends = appendOn(() => enough).catch((error: unknown) => {
    if (!String(error).includes('the journal is closed')) throw error;
  });
  const goal = acknowledged + 10 * oneOf(1, 20, 60, 150);
  const delivered =
    phase === 'deliver'
      ? (async () => {
          while (!enough) await deliver();
        })()
      : undefined;
  while (acknowledged < goal) await journal.stats();
  const refused = times(FULL);
  fill(oneOf(0, 0, 4_096, 100_000));
  while (times(FULL) === refused) await journal.stats();
  enough = true;
  await delivered;
  // The last append may be one that waits until there is room.
  if (phase === 'reopen' || phase === 'close') {
    if (phase === 'close') await deliver();
    await journal[Symbol.asyncDispose]();
    await appends;
    asked = acknowledged;
    journal = await start();
  }
  while (await deliver());
  const [state] = await journal.routes();
  if ((await journal.stats()).disk === 'reserve-used') usedReserve += 1;
  if (!state || state.lag > 0) throw new Error(`on the full disk ${state?.lag} records are left`);
  rmSync(ballast);
  const began = performance.now();
  await appends;
  await appendLive(journal, asked + 1, asked + 1);
  acknowledged = asked += 1;
  slowest = Math.max(slowest, performance.now() - began);
}

fill(0);
const early = await start().catch((error: unknown) => {
  if (!String(error).includes('the disk is full')) throw error;
  refusedStarts += 1;
});
rmSync(ballast);
let journal = early ?? (await start());
for (let left = Number(rounds); left > 0; left -= 1) await round();
while (await deliver());
const state = await routeState(journal, ROUTE);
await journal[Symbol.asyncDispose]();
const { delivered } = state.counters;
const result = { refusedStarts, undelivered: acknowledged - delivered, imbalance: imbalance(state), usedReserve };
process.stdout.write(`${JSON.stringify({ ...result, acknowledged, slowest: Math.round(slowest) })}\n`);
