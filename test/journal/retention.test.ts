import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES, type Cursor, type StreamName } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { JournalRecord, RouteState } from '../../src/journal/record.ts';
import {
  appendLive,
  cursorOf,
  event,
  imbalance,
  never,
  open,
  parkedAt,
  readAll,
  routeName,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

vi.setConfig({ testTimeout: 60_000 });

const FAST = routeName('fast');
const SLOW = routeName('slow');
const EXPIRE = { startFrom: 'oldest', atQuota: 'expire' } as const;
const BLOCK = { startFrom: 'oldest', atQuota: 'block' } as const;
const QUOTA = 2 * 1024 * 1024;
const SIZE = 4_000;

/** Settles all that the route has before it as delivered. */
async function drain(journal: Journal, route: typeof FAST): Promise<readonly JournalRecord[]> {
  const before = await routeState(journal, route);
  const records = await readAll(journal, before.cursors.get(ALL_NAMESPACES));
  const last = records.at(-1);
  if (!last) return records;
  await journal.settle({
    route,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(last)]]),
    counters: { read: records.length, delivered: records.length },
    receipts: records.map((record) => ({
      stream: ALL_NAMESPACES,
      cursor: cursorOf(record),
      receipt: { n: 1 },
      deliveredAt: 0,
    })),
    parked: [],
    unparked: [],
  });
  return records;
}

async function routeState(journal: Journal, route: typeof FAST): Promise<RouteState> {
  const found = (await journal.routes()).find((state) => state.route === route);
  if (!found) throw new Error(`no route ${route}`);
  return found;
}

async function recordsLeft(journal: Journal): Promise<number> {
  return (await journal.stats()).records;
}

test('what every route has delivered is deleted when it is old enough, and the floor says how far', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await before.openRoute(FAST, EXPIRE);
  await before.openRoute(SLOW, EXPIRE);
  await appendLive(before, 1, 600);
  await drain(before, FAST);
  const slow = await readAll(before);
  const half = slow[299];
  if (!half) throw new Error('600 records were appended');
  const nothing = { route: SLOW, counters: { read: 300, filtered: 300 }, receipts: [], parked: [], unparked: [] };
  await before.settle({ ...nothing, cursors: new Map([[ALL_NAMESPACES, cursorOf(half)]]) });
  await before[Symbol.asyncDispose]();

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    await using journal = await open(place, { retainMs: 0 });
    await journal.openRoute(FAST, EXPIRE);
    await journal.openRoute(SLOW, EXPIRE);
    vi.advanceTimersByTime(5_000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect(await recordsLeft(journal)).toBe(300));
    expect(versions(await readAll(journal))[0]).toBe('301');
    expect((await journal.streams())[0]?.floor).toBe('300');
    await drain(journal, SLOW);
    expect((await journal.routes()).map(imbalance)).toEqual([0, 0]);
  } finally {
    vi.useRealTimers();
  }
});

test('a journal that is full of delivered records makes room by itself, and never gives a position twice', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  const seen: string[] = [];
  for (let at = 1; at <= 2_000; at += 50) {
    await appendLive(journal, at, at + 49, SIZE);
    seen.push(...versions(await drain(journal, FAST)));
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  expect(seen).toEqual(Array.from({ length: 2_000 }, (_, index) => String(index + 1)));
  expect(await recordsLeft(journal)).toBeLessThan(600);
  await appendLive(journal, 2_001, 2_001);
  expect(versions(await drain(journal, FAST))).toEqual(['2001']);
  const left = await recordsLeft(journal);
  await journal[Symbol.asyncDispose]();
  using file = new DatabaseSync(place.path);
  expect(file.prepare('SELECT count(*) AS count FROM receipts').get()).toEqual({ count: left });
});

test('a route that lags at the quota and says expire loses its oldest, is told so by a gap, and harms no other', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, EXPIRE);
  const asked: [StreamName, Cursor][] = [];
  const expiries: Promise<{ readonly expired: number; readonly cursor: Cursor }>[] = [];
  journal.onQuota(SLOW, (stream, upTo) => {
    asked.push([stream, upTo]);
    expiries.push(journal.expire(SLOW, stream, upTo));
  });
  journal.onQuota(FAST, () => expect.unreachable('the fast route holds nothing up'));
  for (let at = 1; at <= 1_500; at += 50) {
    await appendLive(journal, at, at + 49, SIZE);
    await drain(journal, FAST);
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  expect(asked.length).toBeGreaterThan(2);
  const expired = (await Promise.all(expiries)).reduce((sum, result) => sum + result.expired, 0);
  const left = await drain(journal, SLOW);
  expect(expired + left.length).toBe(1_500);
  expect(versions(left).at(-1)).toBe('1500');
  const fast = await routeState(journal, FAST);
  expect(fast.counters).toMatchObject({ read: 1_500, delivered: 1_500, expired: 0 });
  const slow = await routeState(journal, SLOW);
  expect(slow.counters.expired).toBe(expired);
  const gaps = await journal.parked(SLOW, { destination: '' }, 1_000);
  expect(slow.pending).toBe(gaps.length);
  expect([fast, slow].map(imbalance)).toEqual([0, 0]);
  const told = gaps.map(({ record }) => JSON.parse(Buffer.from(record.data).toString()).gap);
  expect(told[0]).toMatchObject({ stream: ALL_NAMESPACES, cause: 'quota' });
  expect(told.at(-1).to).toBe(asked.at(-1)?.[1].position.slice(2));
  // Each gap begins where the one before has ended.
  expect(told.slice(1).map(({ from }) => from)).toEqual(told.slice(0, -1).map(({ to }) => to));
});

test('a route that lags at the quota and says block stops the intake until it has caught up', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, BLOCK);
  journal.onQuota(FAST, () => expect.unreachable('the fast route holds nothing up'));
  let next = 1;
  let stuck = false;
  while (!stuck) {
    const appended = appendLive(journal, next, next + 49, SIZE);
    next += 50;
    await Promise.race([
      appended,
      vi.waitFor(async () => expect((await journal.stats()).bytes).toBeGreaterThan(QUOTA)),
    ]);
    await drain(journal, FAST);
    stuck = (await journal.stats()).bytes > QUOTA && (await isWaiting(journal, appended));
  }
  const waiting = appendLive(journal, next, next);
  expect(await isWaiting(journal, waiting)).toBe(true);
  const controller = new AbortController();
  const given = journal.append({ records: [event(next + 1)], state: state(next + 1) }, controller.signal);
  controller.abort(new Error('resume later'));
  await expect(given).rejects.toThrow('resume later');
  await drain(journal, SLOW);
  await waiting;
  await drain(journal, SLOW);
  expect((await routeState(journal, SLOW)).counters).toMatchObject({ read: next, delivered: next, expired: 0 });
});

/** Whether it stays unsettled while others are committed, which would take it along. */
async function isWaiting(journal: Journal, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  const nothing = { route: FAST, cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };
  for (let commits = 0; commits < 5; commits += 1) await journal.settle(nothing);
  return !settled;
}

test('parked messages keep their records from retention, and the last one to let go takes the record with it', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, EXPIRE);
  await appendLive(journal, 1, 10, SIZE);
  const records = await readAll(journal);
  for (const route of [FAST, SLOW]) {
    const cursors = new Map([[ALL_NAMESPACES, cursorOf(records[9] ?? expect.unreachable())]]);
    const parked = records.map((record, at) => parkedAt(record, at < 5 ? { state: 'dead', reason: 'too-large' } : {}));
    await journal.settle({ route, cursors, counters: { read: 10, dead: 5 }, receipts: [], parked, unparked: [] });
  }
  for (let at = 11; at <= 1_500; at += 50) {
    await appendLive(journal, at, at + 49, SIZE);
    await Promise.all([drain(journal, FAST), drain(journal, SLOW)]);
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  expect(versions(await readAll(journal)).slice(0, 10)).toEqual(versions(records));
  expect(versions(await readAll(journal))[10]).not.toBe('11');
  const before = await recordsLeft(journal);
  for (const route of [FAST, SLOW]) {
    const unparked = (await journal.parked(route, {}, 100)).map(({ id }) => id);
    const nothing = { cursors: new Map(), receipts: [], parked: [] };
    await journal.settle({ ...nothing, route, counters: { delivered: 5 }, unparked });
    expect(await recordsLeft(journal)).toBe(route === FAST ? before : before - 5);
  }
  const dead = await journal.deadLetters(FAST, 10);
  expect(versions(dead.map(({ record }) => record))).toEqual(['1', '2', '3', '4', '5']);
  expect((await journal.routes()).map(imbalance)).toEqual([0, 0]);
});

test('at the quota parked messages of a route that says expire go before records that another route has still to read', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, EXPIRE);
  const expiries: Promise<unknown>[] = [];
  journal.onQuota(SLOW, (stream, upTo) => expiries.push(journal.expire(SLOW, stream, upTo)));
  journal.onQuota(FAST, () => expect.unreachable('its records are younger than what the other route has parked'));
  for (let at = 1; at <= 1_500; at += 50) {
    await appendLive(journal, at, at + 49, SIZE);
    const { cursors } = await routeState(journal, SLOW);
    const records = await readAll(journal, cursors.get(ALL_NAMESPACES));
    const parked = records.map((record) => parkedAt(record));
    const moved = new Map([[ALL_NAMESPACES, cursorOf(records.at(-1) ?? expect.unreachable())]]);
    await journal.settle({
      route: SLOW,
      cursors: moved,
      counters: { read: parked.length },
      receipts: [],
      parked,
      unparked: [],
    });
    if (at > 200) await drain(journal, FAST);
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  await Promise.all(expiries);
  const slow = await routeState(journal, SLOW);
  expect(slow.counters.expired).toBeGreaterThan(500);
  expect([slow, await routeState(journal, FAST)].map(imbalance)).toEqual([0, 0]);
  const [kept] = await journal.parked(SLOW, { destination: 'topic' }, 1);
  expect(kept?.record.intact).toBe(true);
});

test('a removed route holds nothing back, and finds a gap and its cursor when it returns', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, BLOCK);
  await appendLive(journal, 1, 50, SIZE);
  await drain(journal, FAST);
  await drain(journal, SLOW);
  await journal.closeRoute(SLOW);
  for (let at = 51; at <= 1_500; at += 50) {
    await appendLive(journal, at, at + 49, SIZE);
    await drain(journal, FAST);
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  const state = await journal.openRoute(SLOW, BLOCK);
  expect(state.pending).toBe(1);
  expect(imbalance(state)).toBe(0);
  const [gap] = await journal.parked(SLOW, {}, 10);
  const left = await readAll(journal, state.cursors.get(ALL_NAMESPACES));
  const { from, to } = JSON.parse(Buffer.from(gap?.record.data ?? '').toString()).gap;
  expect(from).toBe('50');
  expect(Number(to) + 1).toBe(Number(versions(left)[0]));
  expect(versions(left).at(-1)).toBe('1500');
});

test('without any route the journal keeps what fits, and takes in all the same', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  for (let at = 1; at <= 1_500; at += 50) await appendLive(journal, at, at + 49, SIZE);
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  expect(versions(await readAll(journal)).at(-1)).toBe('1500');
});

test('the rows of a list that is larger than the quota are kept until they can be read', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(SLOW, BLOCK);
  const hidden = state(undefined);
  for (let at = 1; at <= 1_000; at += 50) {
    const records = Array.from({ length: 50 }, (_, index) => event(at + index, SIZE));
    await journal.append({ records, state: hidden }, never);
  }
  expect(await recordsLeft(journal)).toBe(1_000);
  await journal.append({ records: [], state: state(1_000) }, never);
  expect(await drain(journal, SLOW)).toHaveLength(1_000);
});
