import { expect, test } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import {
  appendLive,
  cursorOf,
  deadLettersOf,
  event,
  gap,
  imbalance,
  never,
  open,
  parkedAt,
  readAll,
  routeName,
  rv,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

const ROUTE = routeName('everything');
const NOW = { startFrom: 'now', atQuota: 'expire' } as const;

test('what was appended is read back in order, byte for byte, also after a restart', async () => {
  await using place = await temporaryPlace();
  const written = [event(9), event(10), event(11), event(100)];
  await using before = await open(place);
  const { inserted } = await before.append({ records: written, state: state(100) }, never);
  expect(inserted).toBe(4);
  const live = await readAll(before);
  await before[Symbol.asyncDispose]();
  await using after = await open(place);
  const stored = await readAll(after);
  for (const records of [live, stored]) {
    expect(versions(records)).toEqual(['9', '10', '11', '100']);
    for (const [at, record] of records.entries()) {
      expect(record).toMatchObject({ ...written[at], data: expect.anything(), intact: true, epoch: 1 });
      expect(Buffer.compare(record.data, written[at]?.data ?? Buffer.alloc(0))).toBe(0);
    }
  }
  expect(await after.streams()).toEqual([state(100)]);
});

test('a revision that is appended again is kept once', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 5);
  const { inserted } = await appendLive(journal, 4, 7);
  expect(inserted).toBe(2);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  expect(await journal.stats()).toMatchObject({ records: 7, duplicates: 2, commits: 2 });
});

test('the rows of a list come in any order and are read when the list has ended', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 3);
  const listing = { rv: rv(20), token: 'next', to: rv(20), gap: 'compacted', recovered: 2 } as const;
  await journal.append({ records: [event(17), event(8)], state: state(3, { listing }) }, never);
  await journal.append({ records: [event(25)], state: state(3, { listing }) }, never);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3']);
  expect((await journal.streams())[0]?.listing).toEqual(listing);
  await journal.append({ records: [event(12), gap(20)], state: state(25) }, never);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3', '8', '12', '17', '20!', '25']);
});

test('a gap record right behind the watermark is read at once', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 3);
  await journal.append({ records: [gap(3)], state: state(3) }, never);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3', '3!']);
});

test('of a restored history nothing is read before its watermark is known, and then it comes after all of the old one', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 500, 502);
  await journal.append({ records: [event(41)], state: state(undefined, { epoch: 2 }) }, never);
  expect(versions(await readAll(journal))).toEqual(['500', '501', '502']);
  await journal.append({ records: [event(40)], state: state(41, { epoch: 2 }) }, never);
  expect(versions(await readAll(journal))).toEqual(['500', '501', '502', '40', '41']);
});

test('a stream is never put back within an epoch, and the refusal harms nobody else', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 9);
  const back = journal.append({ records: [event(5)], state: state(5) }, never);
  const on = appendLive(journal, 10, 11);
  await expect(back).rejects.toThrow('cannot go back');
  expect((await on).inserted).toBe(2);
  expect(await journal.streams()).toEqual([state(11)]);
});

test('a new route starts now or at the oldest record, a known one where it was', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 9);
  await journal.openRoute(ROUTE, NOW);
  const oldest = await journal.openRoute(routeName('oldest'), { ...NOW, startFrom: 'oldest' });
  expect(await readAll(journal, oldest.cursors.get(ALL_NAMESPACES))).toHaveLength(9);
  await appendLive(journal, 10, 11);
  const again = await journal.openRoute(ROUTE, { ...NOW, startFrom: 'oldest' });
  expect(versions(await readAll(journal, again.cursors.get(ALL_NAMESPACES)))).toEqual(['10', '11']);
});

test('a gap that is announced at the watermark after a route has started reaches it', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.append({ records: [event(8), gap(9)], state: state(9) }, never);
  const { cursors } = await journal.openRoute(ROUTE, NOW);
  expect(await readAll(journal, cursors.get(ALL_NAMESPACES))).toEqual([]);
  await appendLive(journal, 10, 10);
  const late = await journal.openRoute(routeName('late'), NOW);
  await journal.append({ records: [gap(10)], state: state(10) }, never);
  expect(versions(await readAll(journal, late.cursors.get(ALL_NAMESPACES)))).toEqual(['10!']);
});

test('what a route settles is there after a restart: cursor, counters and parked messages with their records', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await appendLive(before, 1, 4);
  await before.openRoute(ROUTE, { ...NOW, startFrom: 'oldest' });
  const [one, two, three, four] = await readAll(before);
  if (!one || !two || !three || !four) throw new Error('four records were appended');
  await before.settle({
    route: ROUTE,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(four)]]),
    counters: { read: 4, delivered: 1, filtered: 1, dead: 1 },
    receipts: [{ stream: ALL_NAMESPACES, cursor: cursorOf(one), receipt: { topic: 't', offset: '1' }, deliveredAt: 1 }],
    parked: [parkedAt(two), parkedAt(three, { state: 'dead', reason: 'too-large' })],
    unparked: [],
  });
  await before[Symbol.asyncDispose]();
  await using after = await open(place);
  const [route] = await after.routes();
  expect(route?.cursors.get(ALL_NAMESPACES)).toEqual(cursorOf(four));
  expect(route).toMatchObject({ pending: 1, counters: { read: 4, delivered: 1, filtered: 1, dead: 1, expired: 0 } });
  expect(route && imbalance(route)).toBe(0);
  const [parked] = await after.parked(ROUTE, {}, 10);
  expect(parked).toMatchObject({
    state: 'held',
    cursor: cursorOf(two),
    record: { position: two.position, intact: true },
  });
  const [dead] = await deadLettersOf(after, ROUTE);
  expect(dead).toMatchObject({ reason: 'too-large', cursor: cursorOf(three) });
});

test('a settlement that comes after a later one moves no cursor back', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 4);
  await journal.openRoute(ROUTE, { ...NOW, startFrom: 'oldest' });
  const records = await readAll(journal);
  for (const last of [3, 1]) {
    const cursor = cursorOf(records[last] ?? expect.unreachable());
    const nothing = { route: ROUTE, counters: {}, receipts: [], parked: [], unparked: [] };
    await journal.settle({ ...nothing, cursors: new Map([[ALL_NAMESPACES, cursor]]) });
  }
  const [route] = await journal.routes();
  expect(route?.cursors.get(ALL_NAMESPACES)).toEqual(cursorOf(records[3] ?? expect.unreachable()));
});

test('the id of a parked message that is gone is never given to another, also after a restart', async () => {
  await using place = await temporaryPlace();
  await using before = await open(place);
  await appendLive(before, 1, 1);
  const nothing = { route: ROUTE, cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };
  const park = async (journal: Journal) => {
    await journal.openRoute(ROUTE, NOW);
    const [record] = await readAll(journal);
    await journal.settle({ ...nothing, parked: [parkedAt(record ?? expect.unreachable())] });
    const [parked] = await journal.parked(ROUTE, {}, 1);
    return parked?.id ?? expect.unreachable();
  };
  const first = await park(before);
  await before.settle({ ...nothing, unparked: [first] });
  await before[Symbol.asyncDispose]();
  await using after = await open(place);
  expect(await park(after)).toBeGreaterThan(first);
});

test('parked messages are found by route, destination and key, in the order in which they were parked', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 20);
  await journal.openRoute(ROUTE, { ...NOW, startFrom: 'oldest' });
  const records = await readAll(journal);
  const parked = records.map((record, at) =>
    parkedAt(record, { destination: at % 2 === 0 ? 'even' : 'odd', key: `${at % 4}` }),
  );
  const nothing = { route: ROUTE, cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };
  await journal.settle({ ...nothing, counters: { read: 20 }, parked });
  const all = await journal.parked(ROUTE, {}, 100);
  expect(all.map(({ cursor }) => cursor)).toEqual(records.map(cursorOf));
  const even = await journal.parked(ROUTE, { destination: 'even' }, 3);
  expect(versions(even.map(({ record }) => record))).toEqual(['1', '3', '5']);
  const more = await journal.parked(ROUTE, { destination: 'even', after: even.at(-1)?.id ?? 0 }, 3);
  expect(versions(more.map(({ record }) => record))).toEqual(['7', '9', '11']);
  const lane = await journal.parked(ROUTE, { destination: 'even', key: '2' }, 3);
  expect(versions(lane.map(({ record }) => record))).toEqual(['3', '7', '11']);
  expect(await journal.parkedLanes(ROUTE)).toMatchObject(
    ['0', '1', '2', '3'].map((key, at) => ({
      destination: at % 2 === 0 ? 'even' : 'odd',
      key,
      state: 'held',
      count: 5,
    })),
  );
  await journal.settle({ ...nothing, counters: { delivered: 20 }, unparked: all.map(({ id }) => id) });
  expect(await journal.parkedLanes(ROUTE)).toMatchObject([]);
  expect((await journal.routes()).map(imbalance)).toEqual([0]);
});

test('whoever waits for news is told once for all that came together', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  let told = 0;
  const news = Promise.withResolvers<void>();
  const forget = journal.onAdvance(() => {
    told += 1;
    news.resolve();
  });
  await Promise.all([appendLive(journal, 1, 2), appendLive(journal, 3, 4), appendLive(journal, 5, 6)]);
  await news.promise;
  expect(told).toBe(1);
  forget();
  await appendLive(journal, 7, 8);
  expect(versions(await readAll(journal)).length).toBe(8);
  expect(told).toBe(1);
});

test('an append that is still waiting can be taken back', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  const controller = new AbortController();
  const first = appendLive(journal, 1, 1);
  const second = journal.append({ records: [event(2)], state: state(2) }, controller.signal);
  controller.abort(new Error('stop'));
  await expect(second).rejects.toThrow('stop');
  await first;
  expect(versions(await readAll(journal))).toEqual(['1']);
});

test('gives the first parked message of each key of a destination, from key to key, however many one of them has', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(ROUTE, { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(journal, 1, 60);
  const records = await readAll(journal);
  const keyAt = (at: number) => (at < 50 ? 'loud' : ['', 'b', 'é', 'zz'][at % 4]) ?? '';
  const parked = records.map((record, at) => parkedAt(record, { destination: 'x', key: keyAt(at) }));
  const [first] = parked;
  if (!first) throw new Error('there are sixty');
  const other = { ...first, destination: 'y', key: 'c' };
  const cursors = new Map([[ALL_NAMESPACES, parked.at(-1)?.cursor ?? first.cursor]]);
  await journal.settle({
    route: ROUTE,
    cursors,
    counters: { read: 60 },
    receipts: [],
    parked: [...parked, other],
    unparked: [],
  });
  const keys = async (behind: string | null, limit: number) =>
    (await journal.parked(ROUTE, { destination: 'x', firstOfEachKeyBehind: behind }, limit)).map(({ key }) => key);
  expect(await keys(null, 16)).toEqual(['', 'b', 'loud', 'zz', 'é']);
  expect(await keys(null, 2)).toEqual(['', 'b']);
  expect(await keys('b', 2)).toEqual(['loud', 'zz']);
  expect(await keys('é', 2)).toEqual([]);
  expect((await journal.parked(ROUTE, { destination: 'x', firstOfEachKeyBehind: 'b' }, 1))[0]).toMatchObject({ id: 1 });
});
