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
import { showAll } from './lanes.ts';
import type { Verdict } from './show.ts';
import { markdownOf, textOf } from './table.ts';
import { buildDaemon } from './world.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    lanes: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const faults = FAULTS.filter(
    ({ name }) => options.only.length === 0 || options.only.some((one) => name.includes(one)),
  );
  if (options.list) {
    for (const { name } of faults) process.stdout.write(`${name}\n`);
    return 0;
  }
  const { quick } = options;
  const [seed, lanes] = [Number(options.seed), Number(options.lanes)];
  process.stdout.write(`${faults.length} faults, seed ${seed}${quick ? ', quick' : ''}\n`);
  await buildDaemon();
  const verdicts = await showAll(faults, { seed, quick, lanes, tell });
  if (options.write) await write(verdicts, seed);
  return conclude(verdicts, seed);
}

function tell(verdict: Verdict): void {
  if (verdict.log !== '') process.stdout.write(`\n${verdict.log}\n`);
  process.stdout.write(`\n${sentenceOf(verdict)} (${verdict.seconds} s)\n`);
  for (const what of verdict.broken) process.stdout.write(`  ${what}\n`);
  if (verdict.rows.length > 0) process.stdout.write(`${textOf(verdict.rows)}\n`);
}

const PAGE = new URL('../../RELIABILITY.md', import.meta.url);

/** Puts the table where people read it, with what was run. */
async function write(verdicts: readonly Verdict[], seed: number): Promise<void> {
  const text = await readFile(PAGE, 'utf8');
  const flags = `${options.quick ? ' --quick' : ''} --lanes ${options.lanes} --seed ${seed}`;
  const how = `\`npm run faults --${flags}\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores`;
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
