import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import type { DeadLetterFilter } from '../../src/journal/record.ts';
import {
  appendLive,
  deadLettersOf,
  die,
  imbalance,
  open,
  type Place,
  readAll,
  routeName,
  routeState,
  temporaryPlace,
} from './fixture.ts';

const FEW = routeName('few');
const MANY = routeName('many');
const OPTIONS = { startFrom: 'oldest', atQuota: 'expire' } as const;

test('beyond their limit the oldest go, of the route that has the most; counted, logged, and known as dropped', async () => {
  await using place = await temporaryPlace();
  const said: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => said.push(JSON.parse(line).msg) });
  await using journal = await open(place, { maxDeadLetters: 20, log });
  for (const route of [FEW, MANY]) await journal.openRoute(route, OPTIONS);
  await appendLive(journal, 1, 40);
  await die(journal, FEW, 5);
  await die(journal, MANY, 10);
  expect(said).toEqual([]);
  await die(journal, MANY, 1);
  expect(said).toMatchObject([expect.stringContaining('80 %')]);
  await die(journal, MANY, 29);
  await vi.waitFor(async () => expect(await journal.stats()).toMatchObject({ deadLetters: 20, maxDeadLetters: 20 }));
  const [few, many] = [await routeState(journal, FEW), await routeState(journal, MANY)];
  expect(few).toMatchObject({ deadLetters: 5, dropped: { byCommand: 0, byLimit: 0 } });
  expect(many).toMatchObject({ deadLetters: 15, counters: { dead: 40 }, dropped: { byCommand: 0, byLimit: 25 } });
  expect([few, many].map(imbalance)).toEqual([0, 0]);
  const left = await deadLettersOf(journal, MANY);
  expect(left.map(({ eventId }) => Number(eventId.slice(4)))).toEqual(Array.from({ length: 15 }, (_, i) => 26 + i));
  const [trail] = await journal.paperTrail.of((await readAll(journal)).slice(0, 1));
  expect(trail?.routes.map(({ route, parked, passedOver }) => [route, parked.length, passedOver?.reason])).toEqual([
    [FEW, 1, undefined],
    [MANY, 0, 'dropped'],
  ]);
  expect(said).toMatchObject([
    expect.stringContaining('80 %'),
    expect.stringContaining('as many dead letters as the journal may hold'),
    expect.stringContaining('more dead letters than journal.maxDeadLetters'),
  ]);
});

test('a limit that was lowered is kept after the next start, step by step', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await journal.openRoute(MANY, OPTIONS);
    await appendLive(journal, 1, 700);
    await die(journal, MANY, 700);
  }
  await using journal = await open(place, { maxDeadLetters: 10 });
  await journal.openRoute(MANY, OPTIONS);
  await vi.waitFor(async () => expect(await journal.stats()).toMatchObject({ deadLetters: 10 }));
  expect(await routeState(journal, MANY)).toMatchObject({ counters: { dead: 700 }, dropped: { byLimit: 690 } });
});

test('dead letters are found by route, reason, time and either id, in steps, from the oldest or the newest on', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  for (const route of [FEW, MANY]) await journal.openRoute(route, OPTIONS);
  await appendLive(journal, 1, 1_200);
  await die(journal, MANY, 1_100, { parkedAt: 1_000 });
  await die(journal, FEW, 3, { parkedAt: 2_000, reason: 'invalid-message' });
  const find = async (filter: DeadLetterFilter, order?: 'newest') => {
    const found = (await Array.fromAsync(journal.deadLetters.find(filter, order))).flat();
    return found.map(({ route, eventId }) => `${route} ${eventId}`);
  };
  const all = await find({});
  expect(all).toHaveLength(1_103);
  expect(all.slice(0, 2)).toEqual(['many uid.1', 'many uid.2']);
  expect(await find({}, 'newest')).toEqual(all.toReversed());
  const few = ['few uid.1', 'few uid.2', 'few uid.3'];
  expect(await find({ route: FEW })).toEqual(few);
  expect(await find({ reason: 'invalid-message' })).toEqual(few);
  expect(await find({ since: 2_000 })).toEqual(few);
  expect(await find({ since: 1_001, until: 1_999 })).toEqual([]);
  expect(await find({ until: 1_000 })).toHaveLength(1_100);
  expect(await find({ ids: ['uid.2'] })).toEqual(['many uid.2', 'few uid.2']);
  expect(await find({ ids: ['1102', '7'] })).toEqual(['many uid.7', 'few uid.2']);
  expect(await find({ ids: ['uid.2'], route: FEW })).toEqual(['few uid.2']);
  const [one] = await deadLettersOf(journal, FEW);
  expect(one).toMatchObject({ object: 'Pod/web/pod-1', bytes: 84, diedAt: 2_000, reason: 'invalid-message' });
  expect(one && (await journal.deadLetters.recordOf(one))).toMatchObject({ key: 'Pod/web/pod-1', intact: true });
  expect(await journal.deadLetters.recordOf({ id: 5_000 })).toBeUndefined();
});

async function ready(place: Pick<Place, 'path'>) {
  const journal = await open(place, { retainMs: 1 });
  for (const route of [FEW, MANY]) await journal.openRoute(route, OPTIONS);
  return journal;
}

test('a revived dead letter is read once more, waits behind all that is parked, and has the number of its replay', async () => {
  await using place = await temporaryPlace();
  await using journal = await ready(place);
  await appendLive(journal, 1, 600);
  await die(journal, MANY, 600);
  const told = vi.fn();
  journal.onRevived(MANY, told);
  const done = await Array.fromAsync(journal.deadLetters.revive({ route: MANY }, () => false));
  expect(done.map((step) => 'ids' in step && [step.number, step.ids.length])).toEqual([
    [1, 250],
    [1, 250],
    [1, 100],
  ]);
  expect(told).toHaveBeenCalledTimes(3);
  const state = await routeState(journal, MANY);
  const counters = { read: 1_200, delivered: 0, dead: 600 };
  expect(state).toMatchObject({ counters, pending: 600, deadLetters: 0, replays: 1 });
  expect(imbalance(state)).toBe(0);
  expect(await journal.parkedLanes(MANY)).toEqual([]);
  const rows = await journal.revived(MANY, 0, 1_000);
  expect(rows.map(({ record, replay }) => [record.attributes.id, replay])).toEqual(
    Array.from({ length: 600 }, (_, i) => [`uid.${i + 1}`, 1]),
  );
  expect(rows.every(({ id }) => id > 600)).toBe(true);
  expect(await Array.fromAsync(journal.deadLetters.revive({ route: MANY }, () => false))).toEqual([]);
  expect(await routeState(journal, MANY)).toMatchObject({ replays: 1 });
});

test('a dead letter that dies again is another one, and the replay that goes on leaves it alone', async () => {
  await using place = await temporaryPlace();
  await using journal = await ready(place);
  await appendLive(journal, 1, 300);
  await die(journal, MANY, 300);
  const revival = journal.deadLetters.revive({ route: MANY }, () => false);
  await revival.next();
  const [first] = await journal.revived(MANY, 0, 1);
  if (!first) throw new Error('it was revived');
  const { id, record: _, ...row } = first;
  const nothing = { cursors: new Map(), receipts: [] };
  const parked = [{ ...row, state: 'dead' as const }];
  await journal.settle({ ...nothing, route: MANY, counters: { dead: 1 }, parked, unparked: [id] });
  const rest = await Array.fromAsync(revival);
  expect(rest.map((step) => 'ids' in step && step.ids.length)).toEqual([50]);
  const [again] = await deadLettersOf(journal, MANY);
  expect(again).toMatchObject({ eventId: 'uid.1', replay: 1 });
  const state = await routeState(journal, MANY);
  expect(state).toMatchObject({ counters: { read: 600, dead: 301 }, pending: 299, deadLetters: 1 });
  expect(imbalance(state)).toBe(0);
});

test('what is dropped is counted and known as dropped, and its record goes when nobody else needs it', async () => {
  await using place = await temporaryPlace();
  await using journal = await ready(place);
  await appendLive(journal, 1, 4);
  await die(journal, MANY, 2);
  await die(journal, FEW, 1);
  const dropped = await Array.fromAsync(journal.deadLetters.drop({ ids: ['uid.1'], route: MANY }));
  expect(dropped).toEqual([{ route: MANY, ids: [1] }]);
  const state = await routeState(journal, MANY);
  expect(state).toMatchObject({
    counters: { read: 2, dead: 2 },
    deadLetters: 1,
    dropped: { byCommand: 1, byLimit: 0 },
  });
  const [trail] = await journal.paperTrail.of((await readAll(journal)).slice(0, 1));
  expect(trail?.routes.map(({ route, parked, passedOver }) => [route, parked.length, passedOver?.reason])).toEqual([
    [FEW, 1, undefined],
    [MANY, 0, 'dropped'],
  ]);
});

test('of a route that was removed nothing is revived, but dropped', async () => {
  await using place = await temporaryPlace();
  await using journal = await ready(place);
  await appendLive(journal, 1, 3);
  await die(journal, MANY, 3);
  await journal.closeRoute(MANY);
  const [refusal] = await Array.fromAsync(journal.deadLetters.revive({}, () => false));
  expect(refusal).toMatchObject({ route: MANY, count: 3, refused: expect.stringContaining('no longer in the config') });
  expect(await routeState(journal, MANY)).toMatchObject({ deadLetters: 3, pending: 0, replays: 0 });
  expect((await Array.fromAsync(journal.deadLetters.drop({}))).map(({ ids }) => ids)).toEqual([[1, 2, 3]]);
});
