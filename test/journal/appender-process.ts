/**
 * A process of its own that appends until it dies: `node appender-process.ts PATH SYNC`. One line for each acknowledged batch
 * says the last resourceVersion of it; what goes wrong is a line too.
 */
import { pino } from 'pino';
import { openJournal } from '../../src/journal/open.ts';
import { event, never, state } from './fixture.ts';

const [path = '', sync = 'full'] = process.argv.slice(2);
const log = pino({ base: null, timestamp: false, messageKey: 'message' }, pino.destination({ dest: 1, sync: true }));
const options = { path, retainMs: 3_600_000, maxBytes: 16 * 1024 ** 2, cluster: 'test', log };
const journal = await openJournal({ ...options, sync: sync === 'normal' ? 'normal' : 'full' });
let last = Number((await journal.streams())[0]?.rv ?? 0);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ opened: last });

async function appendBatch(): Promise<void> {
  const first = last + 1;
  last += 1 + (first % 20);
  const upTo = last;
  const records = Array.from({ length: upTo - first + 1 }, (_, index) => event(first + index, 500));
  await journal.append({ records, state: state(upTo) }, never);
  say({ acknowledged: upTo });
}

try {
  // Several at once, so that a kill meets commits of more than one append.
  while (true) await Promise.all([appendBatch(), appendBatch(), appendBatch()]);
} catch (error) {
  say({ failed: error instanceof Error ? `${error.name}: ${error.message}` : error });
  const again = await journal.append({ records: [], state: state(last) }, never).catch((reason: unknown) => reason);
  say({ again: again instanceof Error ? again.name : again });
  await journal[Symbol.asyncDispose]();
}
