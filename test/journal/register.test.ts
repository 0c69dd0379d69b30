/** Whether the journal has had a revision: what an audit asks it. */
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { NewRecord } from '../../src/journal/record.ts';
import {
  appendLive,
  drain,
  event,
  never,
  open,
  readAll,
  routeName,
  rv,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

const ROUTE = routeName('route');
const EXPIRE = { startFrom: 'oldest', atQuota: 'expire' } as const;

function ask(journal: Journal, ...revisions: readonly NewRecord[]) {
  return journal.lookUp(ALL_NAMESPACES, revisions, never);
}

/** Of another Event, at the same resourceVersion. */
function other(value: number): NewRecord {
  const { attributes, ...rest } = event(value);
  return { ...rest, attributes: { ...attributes, id: `other.${value}` } };
}

test('a revision is known, unknown, or another stands in its place', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  expect(await ask(journal, event(1))).toEqual(['unknown']);
  await appendLive(journal, 1, 3);
  await journal.append({ records: [event(5)], state: state(6) }, never);
  expect(await ask(journal, event(4), event(5), other(3), event(1))).toEqual(['unknown', 'known', 'another', 'known']);
});

test('late rows in a new epoch are read behind the old one at once, and both are known', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await journal.openRoute(ROUTE, EXPIRE);
    await appendLive(journal, 1, 3);
    await journal.append({ records: [event(5)], state: state(5) }, never);
    expect(versions(await drain(journal, ROUTE))).toEqual(['1', '2', '3', '5']);
    await journal.append({ records: [event(4)], state: state(5, { epoch: 2 }) }, never);
    expect(versions(await drain(journal, ROUTE))).toEqual(['4']);
    await journal.append({ records: [event(6)], state: state(6, { epoch: 2 }) }, never);
    expect(versions(await drain(journal, ROUTE))).toEqual(['6']);
  }
  await using journal = await open(place);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3', '5', '4', '6']);
  expect(await ask(journal, event(3), event(4), event(6))).toEqual(['known', 'known', 'known']);
});

test.each([
  ['that had been read', 3],
  ['that was still being listed for the first time', undefined],
])('after a restore nothing is known of a history %s', async (_, read) => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.append({ records: [event(1), event(2), event(3)], state: state(read) }, never);
  await journal.append({ records: [], state: state(undefined, { epoch: 2 }) }, never);
  await journal.append({ records: [event(2)], state: state(3, { epoch: 2 }) }, never);
  expect(await ask(journal, event(1), event(2), event(3))).toEqual(['unknown', 'known', 'unknown']);
});

test('what retention has passed, in whichever epoch, and what lies below a start from now is known', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: 2 * 1024 * 1024 });
  await journal.openRoute(ROUTE, EXPIRE);
  await appendLive(journal, 10, 12, 4_000);
  await drain(journal, ROUTE);
  for (let at = 13; at <= 1_500; at += 50) {
    const records = Array.from({ length: 49 }, (_, index) => event(at + index, 4_000));
    await journal.append({ records, state: state(at + 49, { epoch: at > 700 ? 2 : 1 }) }, never);
    await drain(journal, ROUTE);
  }
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(2 * 1024 * 1024));
  const [first] = await readAll(journal);
  expect(first?.epoch).toBe(2);
  expect(await ask(journal, event(11), other(11), event(700), event(1_400))).toEqual([
    'known',
    'known',
    'known',
    'known',
  ]);
  const lowest = Number(first?.position.slice(2));
  expect(await ask(journal, event(lowest - 1), event(lowest), other(lowest))).toEqual(['known', 'known', 'another']);

  await using now = await temporaryPlace();
  await using fresh = await open(now);
  await fresh.append({ records: [], state: state(100, { floor: rv(100) }) }, never);
  expect(await ask(fresh, event(99), event(100))).toEqual(['known', 'known']);
});

test('a record that the disk has damaged does not pass for another one', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await appendLive(journal, 1, 3);
  }
  const file = new DatabaseSync(place.path);
  file.exec("UPDATE records SET attributes = replace(attributes, 'uid.2', 'uid.3')");
  file.close();
  await using journal = await open(place);
  expect(await ask(journal, event(2), other(3))).toEqual(['known', 'another']);
});
