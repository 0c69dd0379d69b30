import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES, ORIGIN } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { Parked, RouteName } from '../../src/journal/record.ts';
import {
  appendLive,
  cursorOf,
  imbalance,
  open,
  parkedAt,
  readAll,
  routeName,
  routeState,
  temporaryPlace,
} from './fixture.ts';

vi.setConfig({ testTimeout: 60_000 });

const FEW = routeName('few');
const MANY = routeName('many');
const OPTIONS = { startFrom: 'oldest', atQuota: 'expire' } as const;

/** The next so many records of the route become dead letters. */
async function die(journal: Journal, route: RouteName, n: number, rest: Partial<Parked> = {}): Promise<void> {
  const { cursors } = await routeState(journal, route);
  const records = (await readAll(journal, cursors.get(ALL_NAMESPACES) ?? ORIGIN)).slice(0, n);
  const last = records.at(-1);
  if (!last) throw new Error('there is nothing to die');
  await journal.settle({
    route,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(last)]]),
    counters: { read: records.length, dead: records.length },
    receipts: [],
    parked: records.map((record) => parkedAt(record, { state: 'dead', reason: 'too-large', ...rest })),
    unparked: [],
  });
}

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
  const left = await journal.deadLetters(MANY, 100);
  expect(left.map(({ record }) => Number(record.position.slice(2)))).toEqual(
    Array.from({ length: 15 }, (_, i) => 26 + i),
  );
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
