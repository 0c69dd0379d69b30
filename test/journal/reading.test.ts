/** Reading: from the tail in memory, from pages that were read before, and from the file. */
import { expect, test } from 'vitest';
import { ALL_NAMESPACES, ORIGIN } from '../../src/envelope/position.ts';
import { appendLive, cursorOf, event, never, open, readAll, state, temporaryPlace, versions } from './fixture.ts';

const PAGE = { records: 3, bytes: 1_000_000 };

test('a page ends at its limits of records and bytes, but holds one record however large', async () => {
  for (const options of [{ ringBytes: 0 }, {}]) {
    await using place = await temporaryPlace();
    await using journal = await open(place, options);
    await appendLive(journal, 1, 10, 1_000);
    await appendLive(journal, 11, 20, 1_000);
    const size = event(1, 1_000).data.length;
    const three = await journal.read(ALL_NAMESPACES, ORIGIN, { records: 10, bytes: size * 3.5 });
    expect(versions(three)).toEqual(['1', '2', '3']);
    expect(versions(await journal.read(ALL_NAMESPACES, ORIGIN, { records: 1, bytes: 1 }))).toEqual(['1']);
  }
});

test('routes that have fallen behind share what one of them has read from the file', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { ringBytes: 0 });
  await appendLive(journal, 1, 20);
  const [first, second] = await Promise.all([readAll(journal), readAll(journal)]);
  expect(versions(first)).toHaveLength(20);
  expect(second.map((record, at) => record === first[at])).not.toContain(false);
  const [third] = await journal.read(ALL_NAMESPACES, cursorOf(first[6] ?? expect.unreachable()), PAGE);
  expect(third).toBe(first[7]);
});

test('a record that comes late is read among those that were read before, also by whoever reads from the file', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { ringBytes: 0 });
  await appendLive(journal, 1, 4);
  await appendLive(journal, 6, 9);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3', '4', '6', '7', '8', '9']);
  await journal.append({ records: [event(5)], state: state(9) }, never);
  expect(versions(await readAll(journal))).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
});
