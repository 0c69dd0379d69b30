import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Wanted } from '../../src/journal/paper-trail.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import { ROUTE_GAPS } from '../../src/journal/streams.ts';
import {
  appendLive,
  cursorOf,
  drain,
  event,
  gap,
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

const A = routeName('a');
const B = routeName('b');
const oldest = { startFrom: 'oldest', atQuota: 'expire' } as const;

/** The fixture gives each seventh Event to one of seven Pods. */
const podThree: Wanted = { kind: 'object', kinds: ['pod'], namespaces: undefined, name: 'pod-3' };

async function found(journal: Journal, what: Wanted) {
  return (await Array.fromAsync(journal.paperTrail.find(what))).flat();
}

async function trailOf(journal: Journal, record: JournalRecord | undefined) {
  const [trail] = await journal.paperTrail.of(record ? [record] : []);
  return trail;
}

test('finds every revision of an object, newest first, over many pages and epochs, and nothing of another', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 5_000);
  await journal.append({ records: [event(2), event(3)], state: state(3, { epoch: 2 }) }, never);
  const records = await found(journal, podThree);
  expect(records.every(({ key }) => key === 'Pod/web/pod-3')).toBe(true);
  const expected = Array.from({ length: 714 }, (_, i) => String(10 + 7 * i)).reverse();
  expect(versions(records)).toEqual(['3', ...expected.filter((rv) => Number(rv) <= 5_000), '3']);
});

test.each([
  [{ kinds: ['pod'], namespaces: ['', 'web'] }, 1],
  [{ kinds: ['node', 'pod'], namespaces: ['', 'web'] }, 1],
  [{ kinds: ['po'], namespaces: ['', 'web'] }, 0],
  [{ kinds: ['pod'], namespaces: ['eb'] }, 0],
  [{ kinds: ['pod'], namespaces: ['web'], name: '3' }, 0],
])('finds %j in %i of seven Pods', async (what, count) => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 7);
  expect(await found(journal, { kind: 'object', name: 'pod-3', ...what })).toHaveLength(count);
});

test('finds an id in every epoch, and a gap by its id', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 7);
  await journal.append({ records: [event(5), gap(5)], state: state(5, { epoch: 2 }) }, never);
  expect((await found(journal, { kind: 'id', id: 'uid.5' })).map(({ epoch }) => epoch)).toEqual([2, 1]);
  expect(await found(journal, { kind: 'id', id: 'other.5' })).toEqual([]);
  expect(await found(journal, { kind: 'id', id: 'no id at all' })).toEqual([]);
  const [stored] = await journal.paperTrail.gaps(10);
  expect(stored?.kind).toBe('gap');
  expect(await found(journal, { kind: 'id', id: stored?.attributes.id ?? '' })).toEqual([stored]);
});

test('knows the receipt, what is parked, what waits, and behind how many', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(A, oldest);
  await journal.openRoute(B, oldest);
  await appendLive(journal, 1, 10);
  const records = await readAll(journal);
  const [first, second, third] = records;
  if (!first || !second || !third) throw new Error('there are ten');
  await journal.settle({
    route: A,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(third)]]),
    counters: { read: 3, delivered: 1, dead: 1, filtered: 1 },
    receipts: [{ stream: ALL_NAMESPACES, cursor: cursorOf(first), receipt: { offset: 7 }, deliveredAt: 42 }],
    parked: [parkedAt(second, { state: 'dead', reason: 'too-large', detail: '2 MiB' })],
    unparked: [],
  });
  const trails = await journal.paperTrail.of(records);
  expect(trails[0]).toMatchObject({
    readable: true,
    routes: [
      { route: A, receipt: { receipt: { offset: 7 }, deliveredAt: 42 }, parked: [], ahead: undefined },
      { route: B, receipt: undefined, ahead: 0 },
    ],
  });
  expect(trails[1]?.routes[0]).toMatchObject({ receipt: undefined, parked: [{ state: 'dead', reason: 'too-large' }] });
  expect(trails[2]?.routes[0]).toMatchObject({
    receipt: undefined,
    parked: [],
    passedOver: undefined,
    ahead: undefined,
  });
  expect(trails[9]?.routes.map(({ ahead }) => ahead)).toEqual([6, 9]);
});

test('says that a record waits for the end of a list', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.append({ records: [event(1), event(9)], state: state(1) }, never);
  const [hidden] = await found(journal, { kind: 'id', id: 'uid.9' });
  expect(await trailOf(journal, hidden)).toMatchObject({ readable: false });
});

test('knows what was there before a route started', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 10);
  await journal.openRoute(A, { startFrom: 'now', atQuota: 'expire' });
  await appendLive(journal, 11, 12);
  const reasons = (await journal.paperTrail.of(await readAll(journal))).map(
    ({ routes }) => routes[0]?.passedOver?.reason,
  );
  expect(reasons).toEqual([...Array(10).fill('before-start'), undefined, undefined]);
});

test('knows what has expired when the journal was full, waiting or parked, and does not take it for filtered', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(A, oldest);
  await journal.openRoute(B, oldest);
  await appendLive(journal, 1, 10);
  const records = await readAll(journal);
  const [first, second, , fourth] = records;
  if (!first || !second || !fourth) throw new Error('there are ten');
  await journal.settle({
    route: A,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(second)]]),
    counters: { read: 2, filtered: 1 },
    receipts: [],
    parked: [parkedAt(second)],
    unparked: [],
  });
  await journal.expire(A, ALL_NAMESPACES, cursorOf(fourth));
  const trails = await journal.paperTrail.of(records);
  const reasons = trails.map(({ routes }) => routes[0]?.passedOver?.reason);
  expect(reasons.slice(0, 5)).toEqual([undefined, 'quota', 'quota', 'quota', undefined]);
  expect(trails.every(({ routes }) => routes[1]?.passedOver === undefined)).toBe(true);

  const [own] = await journal.paperTrail.gaps(1);
  expect(own?.stream).toBe(ROUTE_GAPS);
  expect((await trailOf(journal, own))?.routes.map(({ route }) => route)).toEqual([A]);
});

test('a commit never waits for a long search', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 20_000);
  let pages = 0;
  let committedAt: number | undefined;
  let appended: Promise<unknown> | undefined;
  for await (const _ of journal.paperTrail.find(podThree)) {
    pages += 1;
    appended ??= appendLive(journal, 20_001, 20_001).then(() => {
      committedAt = pages;
    });
  }
  await appended;
  expect(pages).toBe(20);
  expect(committedAt).toBeLessThan(5);
});

test('forgets why a record was passed over when the record is gone, but not while a dead letter keeps it', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place, { retainMs: 0 });
    await journal.openRoute(A, oldest);
    await appendLive(journal, 1, 10);
    const [first] = await readAll(journal);
    if (!first) throw new Error('there are ten');
    await journal.settle({
      route: A,
      cursors: new Map([[ALL_NAMESPACES, cursorOf(first)]]),
      counters: { read: 1, dead: 1 },
      receipts: [],
      parked: [parkedAt(first, { state: 'dead', reason: 'too-large' })],
      unparked: [],
    });
    await journal.openRoute(B, { startFrom: 'now', atQuota: 'expire' });
    await journal.openRoute(routeName('c'), { startFrom: 'now', atQuota: 'expire' });
    await appendLive(journal, 11, 20);
    const sixteenth = (await readAll(journal))[15];
    if (!sixteenth) throw new Error('there are twenty');
    await journal.expire(routeName('c'), ALL_NAMESPACES, cursorOf(sixteenth));
    for (const route of [A, B, routeName('c')]) await drain(journal, route);
    await vi.waitFor(async () => expect(await recordsLeft(journal)).toBeLessThan(5), {
      timeout: 30_000,
      interval: 100,
    });
    const [kept] = await found(journal, { kind: 'id', id: 'uid.1' });
    const reasons = (await trailOf(journal, kept))?.routes.map(({ passedOver }) => passedOver?.reason);
    expect(reasons).toEqual([undefined, 'before-start', 'before-start']);
  }
  using file = new DatabaseSync(place.path);
  expect(file.prepare('SELECT DISTINCT reason FROM passed_over').all()).toEqual([{ reason: 'before-start' }]);
});
