/** Fills the file system of `node disk-full-process.ts DIRECTORY` by appending, then makes room; says what happened in JSON lines. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import { openJournal } from '../../src/journal/open.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import { appendLive, cursorOf, imbalance, onlyOnSmallDisk, readAll, routeName } from './fixture.ts';

const [directory = ''] = process.argv.slice(2);
onlyOnSmallDisk(directory);
const ballast = join(directory, 'ballast');
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const full = Promise.withResolvers<void>();
const room = Promise.withResolvers<void>();
const log = pino({}, { write: (line) => (JSON.parse(line).level >= 50 ? full : room).resolve() });
writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024));

const options = { retainMs: 3_600_000, maxBytes: 1024 ** 3, sync: 'full', cluster: 'test' } as const;
await using journal = await openJournal({ ...options, path: join(directory, 'journal.db'), log });
const route = routeName('everything');
await journal.openRoute(route, { startFrom: 'oldest', atQuota: 'expire' });

let acknowledged = 0;
let asked = 0;
let rejected = 0;
let isFull = false;
void full.promise.then(() => {
  isFull = true;
});
const appends: Promise<unknown>[] = [];
while (!isFull) {
  asked += 20;
  const last = asked;
  const append = appendLive(journal, last - 19, last, 2_000).then(
    () => {
      acknowledged = last;
    },
    () => {
      rejected += 1;
    },
  );
  appends.push(append);
  await Promise.race([append, full.promise]);
}
say({ full: true });
const before = acknowledged;
say({ waiting: before < asked, rejected });

const readable: JournalRecord[] = await readAll(journal);
const last = readable.at(-1);
if (last) {
  const counters = { read: readable.length, delivered: readable.length };
  const cursors = new Map([[ALL_NAMESPACES, cursorOf(last)]]);
  const settled = journal.settle({ route, cursors, counters, receipts: [], parked: [], unparked: [] });
  rmSync(ballast);
  await settled;
}
say({ settled: true });
await Promise.all(appends);
await room.promise;
say({ roomAgain: true });
const records = await readAll(journal);
const states = await journal.routes();
say({
  acknowledged,
  missing: asked - records.length + rejected,
  intact: records.every(({ intact }) => intact),
  balanced: states.every((state) => imbalance(state) === 0),
});
