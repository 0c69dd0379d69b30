import { expect, test, vi } from 'vitest';
import { gapRecord } from '../../src/envelope/gap.ts';
import { ALL_NAMESPACES, type Cursor, type StreamName } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import {
  appendLive,
  cursorOf,
  deliver,
  drain,
  event,
  imbalance,
  never,
  open,
  parkedAt,
  readAll,
  recordsLeft,
  routeName,
  routeState,
  rv,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

const FAST = routeName('fast');
const SLOW = routeName('slow');
const EXPIRE = { startFrom: 'oldest', atQuota: 'expire' } as const;
const BLOCK = { startFrom: 'oldest', atQuota: 'block' } as const;
const QUOTA = 2 * 1024 * 1024;
const SIZE = 4_000;

/** What the slow route's own gap records say. */
async function gapsOf(journal: Journal) {
  const parked = await journal.parked(SLOW, { destination: '' }, 1_000);
  return parked.map(({ record }) => JSON.parse(Buffer.from(record.data).toString()).gap);
}

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
  const told = await gapsOf(journal);
  expect(slow.pending).toBe(told.length);
  expect([fast, slow].map(imbalance)).toEqual([0, 0]);
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
  const { waiting, next } = await fill(journal);
  const controller = new AbortController();
  const given = journal.append({ records: [event(next + 1)], state: state(next + 1) }, controller.signal);
  controller.abort(new Error('resume later'));
  await expect(given).rejects.toThrow('resume later');
  await drain(journal, SLOW);
  await waiting;
  await drain(journal, SLOW);
  const all = { read: next - 1, delivered: next - 1, expired: 0 };
  expect((await routeState(journal, SLOW)).counters).toMatchObject(all);
});

test('a journal whose intake has stopped can be closed, and says so to whoever waits', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, BLOCK);
  const { waiting } = await fill(journal);
  const rejected = expect(waiting).rejects.toThrow('the journal is closed');
  await journal[Symbol.asyncDispose]();
  await rejected;
});

/** Appends until an append has to wait: that one, and the resourceVersion behind it. */
async function fill(journal: Journal): Promise<{ readonly waiting: Promise<unknown>; readonly next: number }> {
  for (let next = 1; ; next += 50) {
    const appended = appendLive(journal, next, next + 49, SIZE);
    await drain(journal, FAST);
    if (await isWaiting(journal, appended)) return { waiting: appended, next: next + 50 };
  }
}

/** Whether it stays unsettled while others are committed, which would take it along. */
async function isWaiting(journal: Journal, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  void promise.then(settle, settle);
  const nothing = { route: FAST, cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };
  for (let commits = 0; commits < 5; commits += 1) await journal.settle(nothing);
  return !settled;
}

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

test('the gap of parked messages that expire begins before the first of them, though retention has passed them by', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await before.openRoute(SLOW, EXPIRE);
  await appendLive(before, 1, 600);
  const records = await readAll(before);
  const parked = records.filter((_, at) => at % 100 === 49).map((record) => parkedAt(record));
  const filtered = records.length - parked.length;
  await before.settle({
    route: SLOW,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(records.at(-1) ?? expect.unreachable())]]),
    counters: { read: records.length, filtered },
    receipts: [],
    parked,
    unparked: [],
  });
  await before[Symbol.asyncDispose]();

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    await using journal = await open(place, { retainMs: 0 });
    await journal.openRoute(SLOW, EXPIRE);
    vi.advanceTimersByTime(5_000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect(await recordsLeft(journal)).toBe(parked.length));
    for (const upTo of [records[149], records[449]]) {
      await journal.expire(SLOW, ALL_NAMESPACES, cursorOf(upTo ?? expect.unreachable()));
    }
    const told = await gapsOf(journal);
    expect(told.map(({ from, to }) => [from, to])).toEqual([
      ['49', '150'],
      ['249', '450'],
    ]);
    expect((await journal.routes()).map(imbalance)).toEqual([0]);
  } finally {
    vi.useRealTimers();
  }
});

test('a quota that lets go of a gap record covers what that one told of', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(SLOW, EXPIRE);
  await appendLive(journal, 1, 50);
  const told = { cluster: 'test', stream: ALL_NAMESPACES, from: rv(50), to: rv(500), recovered: 2, now: new Date() };
  const compacted = gapRecord({ ...told, cause: 'compacted' });
  await journal.append({ records: [event(300), event(480), compacted], state: state(500) }, never);
  await appendLive(journal, 501, 600);
  const records = await readAll(journal);
  // All before the gap record is delivered, so that it is the first of what expires.
  await deliver(journal, SLOW, records.slice(0, 52));
  await journal.expire(SLOW, ALL_NAMESPACES, cursorOf(records.at(-10) ?? expect.unreachable()));
  expect(await gapsOf(journal)).toMatchObject([{ from: '50', to: '591', cause: 'quota' }]);
});

test('what expires on both sides of a restore is told of by a gap for each, with the restore between them', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(SLOW, EXPIRE);
  await appendLive(journal, 900, 950);
  const back = { cluster: 'test', stream: ALL_NAMESPACES, from: rv(950), to: rv(99), recovered: 0, now: new Date() };
  const restored = gapRecord({ ...back, cause: 'restored' });
  const after = state(102, { epoch: 2 });
  await journal.append({ records: [restored, event(100), event(101), event(102)], state: after }, never);
  const records = await readAll(journal);
  await deliver(journal, SLOW, records.slice(0, 25));
  await journal.expire(SLOW, ALL_NAMESPACES, cursorOf(records.at(-2) ?? expect.unreachable()));
  const [old, again, restarted] = await gapsOf(journal);
  expect(old).toMatchObject({ cause: 'quota', from: '924', to: '950' });
  expect(again).toMatchObject({ cause: 'restored', from: '950', to: '99' });
  expect(restarted).toMatchObject({ cause: 'quota', to: '101' });
  expect(restarted.from).toBeUndefined();
  expect(imbalance(await routeState(journal, SLOW))).toBe(0);
});
