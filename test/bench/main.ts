/**
 * `npm run bench`: what kube-fanout costs, beside what the brokers' own clients cost, in one run. It asserts no time;
 * `--check` alone judges, by ratios of CPU and memory that a busy machine leaves as they are.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { buildDaemon } from '../faults/world.ts';
import type { Bench, Measured, Options } from './bench.ts';
import { BROKERS } from './brokers.ts';
import { check } from './check.ts';
import { cpu } from './cpu.ts';
import { latency } from './latency.ts';
import { memoryUse } from './memory.ts';
import { chartOf, jsonOf, machine, tableOf } from './report.ts';
import { brokers, routes, sizes } from './scale.ts';
import { backlog, coldStart, openEvents } from './start.ts';
import { throughput } from './throughput.ts';

const BENCHES: readonly Bench[] = [
  throughput,
  cpu,
  latency,
  memoryUse,
  coldStart,
  backlog,
  openEvents,
  routes,
  brokers,
  sizes,
];

const HELP = `npm run bench -- [--quick] [--only NAME]... [--broker NAME]... [--json] [--write]

  --quick         shorter, and fewer rounds
  --only NAME     one of these, or several:
${BENCHES.map(({ name, sentence }) => `                    ${name.padEnd(12)}${sentence}`).join('\n')}
  --broker NAME   one of ${BROKERS.join(', ')}, or several
  --json          the last line is one JSON object
  --write         puts the tables, and the picture, into BENCHMARKS.md
  --check         fails when an Event costs more than it did, and measures nothing else
  --accept        with --check: what it costs now is what it may cost
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: BENCHES.map(({ name }) => name) },
    broker: { type: 'string', multiple: true, default: [...BROKERS] },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    accept: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const PAGE = new URL('../../BENCHMARKS.md', import.meta.url);
const PICTURE = new URL('../../docs/bench.svg', import.meta.url);

/** The tables of what was measured, each between the marks of its bench; the others stay as they are. */
async function write(found: ReadonlyMap<Bench, readonly Measured[]>): Promise<void> {
  let page = await readFile(PAGE, 'utf8');
  for (const [{ name }, measured] of found) {
    const when = `${new Date().toISOString().slice(0, 10)}, ${machine()}:`;
    const body = `\n${when}\n\n${tableOf(measured)}\n\n`;
    page = page.replace(
      new RegExp(`(<!-- ${name} -->\n)[^]*(<!-- /${name} -->)`),
      (_, begin, end) => begin + body + end,
    );
  }
  await writeFile(PAGE, page);
  const speeds = found.get(throughput);
  if (speeds !== undefined) await writeFile(PICTURE, chartOf(speeds));
}

async function main(): Promise<number> {
  const unknown = [
    ...values.only.filter((name) => BENCHES.every((bench) => bench.name !== name)),
    ...values.broker.filter((name) => BROKERS.every((broker) => broker !== name)),
  ];
  if (values.help || unknown.length > 0) {
    (values.help ? process.stdout : process.stderr).write(
      unknown.map((name) => `nothing is called ${name}\n\n`).join('') + HELP,
    );
    return values.help ? 0 : 2;
  }
  process.stdout.write(`${machine()}\n`);
  await buildDaemon();
  const options: Options = {
    quick: values.quick,
    brokers: BROKERS.filter((name) => values.broker.includes(name)),
    say: (line) => process.stdout.write(`  ${line}\n`),
  };
  if (values.check) return (await check(options, values.accept)) ? 0 : 1;
  const found = new Map<Bench, readonly Measured[]>();
  for (const bench of BENCHES.filter(({ name }) => values.only.includes(name))) {
    process.stdout.write(`\n${bench.name}: ${bench.sentence}\n`);
    const measured = await bench.run(options);
    found.set(bench, measured);
    process.stdout.write(`\n${tableOf(measured)}\n`);
  }
  if (values.write) await write(found);
  if (values.json) process.stdout.write(`${jsonOf([...found.values()].flat())}\n`);
  return 0;
}

process.exitCode = await main();
