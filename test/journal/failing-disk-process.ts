/**
 * Two lives of the journal at `node failing-disk-process.ts PATH`: it starts, appends, delivers, parks, checkpoints and
 * stops. One line for each thing that was acknowledged; the last one says what went wrong, if anything did.
 */
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import { appendLive, cursorOf, open, parkedAt, readAll, routeName, routeState } from './fixture.ts';

const [path = ''] = process.argv.slice(2);
const ROUTE = routeName('everything');
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
let last = 0;

/** All but the first of what is before the route, which is parked. */
async function deliver(journal: Journal): Promise<void> {
  const { cursors } = await routeState(journal, ROUTE);
  const records = await readAll(journal, cursors.get(ALL_NAMESPACES));
  const [first, end] = [records[0], records.at(-1)];
  if (!first || !end) return;
  await journal.settle({
    route: ROUTE,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(end)]]),
    counters: { read: records.length, delivered: records.length - 1 },
    receipts: [],
    parked: [parkedAt(first)],
    unparked: [],
  });
  say({ settled: Number(end.position.slice(2)) });
}

async function live(): Promise<void> {
  const journal = await open({ path }, { sync: 'full', maxBytes: 8 * 1024 ** 2, ringBytes: 0 });
  try {
    await journal.openRoute(ROUTE, { startFrom: 'oldest', atQuota: 'block' });
    for (let batch = 0; batch < 8; batch += 1) {
      await appendLive(journal, last + 1, last + 20, 4_000);
      last += 20;
      say({ acknowledged: last });
      await deliver(journal);
    }
  } catch (error) {
    const again = await appendLive(journal, last + 1, last + 1).then(
      () => 'acknowledged',
      () => 'rejected',
    );
    say({ again });
    throw error;
  } finally {
    await journal[Symbol.asyncDispose]();
  }
}

try {
  await live();
  await live();
} catch (error) {
  say({ failed: error instanceof Error ? error.message : String(error) });
}
