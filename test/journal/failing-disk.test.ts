/** Single calls to the disk that fail, at any moment of a journal's life: `DISK_FAULTS=100 SEED=7`, of each kind. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Random } from '../faults/random.ts';
import { CALLS, FailingDisk, noFailingDisk } from './failing-disk.ts';
import { imbalance, open, readAll, temporaryPlace, versions } from './fixture.ts';

const FAULTS = Number(process.env.DISK_FAULTS ?? 4);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const PROCESS = join(import.meta.dirname, 'failing-disk-process.ts');
const WORDS =
  /the disk failed, or the volume is read-only|it is the disk that fails|cannot be (opened|written)|its reserve for a full disk cannot be written/;

const unavailable = await noFailingDisk();
if (unavailable) process.stderr.write(`SKIPPED: no disk can be made to fail here: ${unavailable}\n`);

/** Of the lines that the process said: the most of one kind. */
function most(lines: readonly unknown[], of: 'acknowledged' | 'settled'): number {
  return Math.max(
    0,
    ...lines.map((line) => Number(Object.entries(line ?? {}).find(([name]) => name === of)?.[1] ?? 0)),
  );
}

test.skipIf(unavailable !== undefined).for(CALLS)(
  'when the disk fails to %s at any moment, the journal ends in words, and the next start has all that was acknowledged',
  { timeout: 120_000 + FAULTS * 30_000 },
  async (call) => {
    await using tools = await temporaryPlace();
    const disk = await FailingDisk.in(tools.directory);
    const random = new Random(SEED);
    const whole = { path: tools.path, call, number: 1e9, how: 'once', error: 'EIO' } as const;
    const { calls, lines } = await disk.run(whole, [PROCESS, tools.path]);
    expect(most(lines, 'acknowledged')).toBe(320);
    expect(calls).toBeGreaterThan(0);
    let failed = 0;
    for (let fault = 0; fault < FAULTS; fault += 1) {
      await using place = await temporaryPlace();
      const slice = calls / FAULTS;
      const failing = {
        path: place.path,
        call,
        number: 1 + Math.floor(fault * slice + random.next() * slice),
        how: random.pick(['once', 'for ever'] as const),
        error: random.pick(call === 'read' || call === 'sync' ? (['EIO'] as const) : (['EIO', 'EROFS'] as const)),
      };
      const what = `seed ${SEED}: ${JSON.stringify(failing)}`;
      const { lines: said, code } = await disk.run(failing, [PROCESS, place.path]);
      expect(code, what).toBe(0);
      const end = said.at(-1);
      if (typeof end === 'object' && end !== null && 'failed' in end) {
        expect(end.failed, what).toMatch(WORDS);
        failed += 1;
      }
      expect(said, what).not.toContainEqual({ again: 'acknowledged' });
      await using journal = await open(place);
      const found = versions(await readAll(journal, undefined, { records: 1_000 }));
      expect(found, what).toEqual(found.map((_, at) => String(at + 1)));
      expect(found.length, what).toBeGreaterThanOrEqual(most(said, 'acknowledged'));
      const [route] = await journal.routes();
      expect(route ? imbalance(route) : 0, what).toBe(0);
      expect(route?.counters.read ?? 0, what).toBeGreaterThanOrEqual(most(said, 'settled'));
    }
    // Not every call matters: SQLite does without some.
    if (call === 'write' || call === 'sync') expect(failed).toBeGreaterThan(0);
  },
);
