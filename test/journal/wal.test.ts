import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { appendLive, drain, open, readAll, routeName, temporaryPlace } from './fixture.ts';

const MIB = 1024 ** 2;

test('the WAL stays small under load, however many read far behind and whoever settles', {
  timeout: 120_000,
}, async () => {
  await using place = await temporaryPlace();
  const maxBytes = 16 * MIB;
  await using journal = await open(place, { maxBytes, retainMs: 0, ringBytes: 0 });
  const route = routeName('r');
  await journal.openRoute(route, { startFrom: 'oldest', atQuota: 'expire' });
  let written = 0;
  let most = 0;
  const look = async () => {
    most = Math.max(most, (await stat(`${place.path}-wal`)).size);
  };
  const writes = (async () => {
    for (let first = 1; written < 40 * MIB; first += 100) {
      await appendLive(journal, first, first + 99, 4_000);
      written += 100 * 4_000;
      await drain(journal, route);
      await look();
    }
  })();
  let done = false;
  const reads = Array.from({ length: 4 }, async () => {
    while (!done) await readAll(journal);
  });
  await writes.finally(() => {
    done = true;
  });
  await Promise.all(reads);
  // It is moved into the file at a sixteenth of the quota; the commit that comes to there may be of 8 MiB, but is not here.
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(maxBytes / 16 + 2 * MIB);
});
