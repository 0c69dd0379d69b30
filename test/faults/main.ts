/**
 * `npm run faults`: every fault on real parts, every promise judged after each, a table in the end.
 *
 * Ends with 1 when a promise is broken or a fault could not be shown; faults that this machine cannot show are said,
 * and with REQUIRE_BACKENDS=1 count as broken.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { FAULTS } from './families/all.ts';
import type { Fault } from './fault.ts';
import { broken } from './promises.ts';
import { Random } from './random.ts';
import { Scene } from './scene.ts';
import { markdownOf, type Row, rowsOf, textOf } from './table.ts';
import { World } from './world.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

interface Verdict {
  readonly fault: string;
  readonly rows: readonly Row[];
  /** Promises that did not hold, or why nothing could be shown. */
  readonly broken: readonly string[];
  /** It came to its end, and was judged. */
  readonly shown: boolean;
  readonly unavailable: string | undefined;
}

/** Its own seed, so that a fault repeats alone as it was among the others. */
async function show(world: World, fault: Fault, seed: number): Promise<Verdict> {
  const unavailable = await fault.unavailable?.();
  if (unavailable !== undefined) return { fault: fault.name, rows: [], broken: [], shown: false, unavailable };
  let log = '';
  try {
    await using scene = await Scene.open(world, fault, { random: new Random(seed), quick: options.quick });
    try {
      scene.write();
      await fault.inject(scene);
      await scene.settle();
      const history = await scene.history();
      const found = [...broken(history), ...((await fault.judge?.(scene, history)) ?? [])];
      if (found.length > 0) log = (await scene.log()).slice(-3_000);
      const rows = rowsOf(fault.name, history, scene.notes);
      return { fault: fault.name, rows, broken: found, shown: true, unavailable: undefined };
    } catch (error) {
      log = (await scene.log()).slice(-3_000);
      throw error;
    }
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const why = [`it could not be shown: ${what}`];
    return { fault: fault.name, rows: [], broken: why, shown: false, unavailable: undefined };
  } finally {
    if (log !== '') process.stdout.write(`the end of the daemon's log:\n${log}\n`);
  }
}

async function main(): Promise<number> {
  const faults = FAULTS.filter(
    ({ name }) => options.only.length === 0 || options.only.some((one) => name.includes(one)),
  );
  if (options.list) {
    for (const { name } of faults) process.stdout.write(`${name}\n`);
    return 0;
  }
  const seed = Number(options.seed);
  process.stdout.write(`${faults.length} faults, seed ${seed}${options.quick ? ', quick' : ''}\n`);
  const verdicts: Verdict[] = [];
  await using world = new World();
  for (const fault of faults) {
    const began = Date.now();
    const first = await show(world, fault, seed);
    // A stage that did not come about on a busy machine says nothing of the promises; a broken promise is never retried.
    const retry = !first.shown && first.unavailable === undefined;
    if (retry) process.stdout.write(`\n${fault.name}, once more: ${first.broken.join('\n')}\n`);
    const verdict = retry ? await show(world, fault, seed) : first;
    verdicts.push(verdict);
    process.stdout.write(`\n${sentenceOf(verdict)} (${Math.round((Date.now() - began) / 1_000)} s)\n`);
    for (const what of verdict.broken) process.stdout.write(`  ${what}\n`);
    if (verdict.rows.length > 0) process.stdout.write(`${textOf(verdict.rows)}\n`);
  }
  if (options.write) await write(verdicts, seed);
  return conclude(verdicts, seed);
}

const PAGE = new URL('../../RELIABILITY.md', import.meta.url);

/** Puts the table where people read it, with what was run. */
async function write(verdicts: readonly Verdict[], seed: number): Promise<void> {
  const text = await readFile(PAGE, 'utf8');
  const how = `\`npm run faults${options.quick ? ' -- --quick' : ''}\`, seed ${seed}, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores`;
  const away = verdicts.filter(({ unavailable }) => unavailable !== undefined);
  const notes = away.map(({ fault, unavailable }) => `- not shown: ${fault}, ${unavailable}`);
  const body = [how, markdownOf(verdicts.flatMap(({ rows }) => rows)), ...notes].join('\n\n');
  await writeFile(
    PAGE,
    text.replace(/(<!-- faults -->\n)[\s\S]*(<!-- \/faults -->)/, (_, begin, end) => `${begin}\n${body}\n\n${end}`),
  );
}

function sentenceOf({ fault, broken: found, unavailable }: Verdict): string {
  if (unavailable !== undefined) return `- ${fault}: not available here, ${unavailable}`;
  return found.length === 0 ? `✓ ${fault}` : `✗ ${fault}`;
}

function conclude(verdicts: readonly Verdict[], seed: number): number {
  const away = verdicts.filter(({ unavailable }) => unavailable !== undefined);
  const demanded = process.env.REQUIRE_BACKENDS === '1' ? away : [];
  const failed = [...verdicts.filter(({ broken: found }) => found.length > 0), ...demanded];
  process.stdout.write(`\n${textOf(verdicts.flatMap(({ rows }) => rows))}\n\n`);
  for (const { fault } of failed) process.stdout.write(`again: npm run faults -- --only '${fault}' --seed ${seed}\n`);
  const skipped = away.length - demanded.length;
  process.stdout.write(
    `${verdicts.length - failed.length - skipped} passed, ${failed.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
  );
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = await main();
