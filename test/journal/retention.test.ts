import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import {
  appendLive,
  cursorOf,
  deadLettersOf,
  drain,
  event,
  imbalance,
  never,
  open,
  parkedAt,
  readAll,
  recordsLeft,
  routeName,
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

/** From that Event to the 1,500th, which the fast route delivers: more than fits, so that retention makes room. */
async function outgrow(journal: Journal, first: number): Promise<void> {
  for (let at = first; at <= 1_500; at += 50) {
    await appendLive(journal, at, at + 49, SIZE);
    await drain(journal, FAST);
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
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
  const dead = await deadLettersOf(journal, FAST);
  expect(dead.map(({ eventId }) => eventId)).toEqual([1, 2, 3, 4, 5].map((n) => `uid.${n}`));
  expect((await journal.routes()).map(imbalance)).toEqual([0, 0]);
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
  await outgrow(journal, 51);
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

test('what a removed route had parked is still there when it returns', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await journal.openRoute(SLOW, EXPIRE);
  await appendLive(journal, 1, 50, SIZE);
  await drain(journal, FAST);
  const records = await readAll(journal);
  const parked = records.slice(19, 30).map((record) => parkedAt(record));
  const cursors = new Map([[ALL_NAMESPACES, cursorOf(records[49] ?? expect.unreachable())]]);
  const counters = { read: 50, delivered: 39 };
  await journal.settle({ route: SLOW, cursors, counters, receipts: [], parked, unparked: [] });
  await journal.closeRoute(SLOW);
  await outgrow(journal, 51);
  const state = await journal.openRoute(SLOW, EXPIRE);
  expect({ pending: state.pending, expired: state.counters.expired }).toEqual({ pending: 12, expired: 0 });
  const waiting = await journal.parked(SLOW, { destination: 'topic' }, 100);
  expect(versions(waiting.map(({ record }) => record))).toEqual(versions(records).slice(19, 30));
  expect(imbalance(state)).toBe(0);
});

test('what retention has deleted does not come back with a list that brings it again', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(FAST, EXPIRE);
  await outgrow(journal, 1);
  const oldest = Number(versions(await readAll(journal))[0]);
  const { inserted } = await journal.append({ records: [event(1), event(oldest - 1)], state: state(1_500) }, never);
  expect(inserted).toBe(0);
  expect(versions(await readAll(journal))[0]).toBe(String(oldest));
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
