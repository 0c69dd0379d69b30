/**
 * `npm run soak`: the daemon under load for as long as you like, a fault a minute, and the promises judged in the end.
 *
 * Ends with 1 when one is broken. Ctrl-C ends it early, and what there is until then is judged.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Random } from '../faults/random.ts';
import type { Tally } from './deliveries.ts';
import { drawn, FAULTS, KILLED } from './faults.ts';
import { judge } from './judge.ts';
import { type Done, jsonOf, pictureOf, type Soak, summaryOf, tableOf } from './report.ts';
import { Sampler } from './sampler.ts';
import { openStage, ROUTES, type Stage } from './stage.ts';

const HELP = `npm run soak -- [--for 30m] [--rate 500] [--every 1m] [--seed N] [--json] [--write]

  --for DURATION    how long there is load, such as 90s, 30m or 4h
  --rate EVENTS     so many a second
  --every DURATION  about the time from one fault to the next
  --seed N          decides which fault comes when
  --list            the faults
  --json            the last line is one JSON object
  --write           puts the figures and the picture into RELIABILITY.md
`;

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: '30m' },
    rate: { type: 'string', default: '500' },
    every: { type: 'string', default: '1m' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
const Duration = z
  .stringFormat('a duration such as 90s, 30m or 4h', /^\d+[smh]$/)
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.endsWith('s') ? 's' : text.endsWith('m') ? 'm' : 'h']);
const Options = z.object({
  for: Duration,
  rate: z.coerce.number().positive(),
  every: Duration,
  seed: z.coerce.number().int(),
});
type Options = z.output<typeof Options>;

const MINUTE = 60_000;
const SETTLE_MS = 180_000;
const RECENT = 100_000;

class Recorder {
  readonly began = Date.now();
  readonly done: Done[] = [];
  /** Faults that could not be done, or mended. */
  readonly failures: string[] = [];
  readonly loads: number[] = [loadavg()[0] ?? 0];

  say(what: string): void {
    const seconds = Math.round((Date.now() - this.began) / 1_000);
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    process.stdout.write(`${clock.padStart(6)}  ${what}\n`);
  }
}

/**
 * Until the load is over, and then until the last one is mended. In the second half the daemon is not killed, so that one
 * life of it is long enough to tell whether its memory grows.
 */
async function harm(stage: Stage, options: Options, recorder: Recorder, over: AbortSignal): Promise<void> {
  const { every, seed } = options;
  // Small seeds begin alike.
  const random = new Random(Math.imul(seed, 0x9e3779b1));
  const half = recorder.began + options.for / 2;
  for (const fault of drawn(random)) {
    if (fault === KILLED && Date.now() > half) continue;
    await sleep(every * (0.5 + random.next()), undefined, { signal: over }).catch(() => {});
    if (over.aborted) return;
    const from = Date.now();
    await fault.inject(stage, random, over).catch((error: unknown) => {
      recorder.failures.push(`${fault.name} could not be done: ${error instanceof Error ? error.message : error}`);
    });
    recorder.done.push({ name: fault.name, from, to: Date.now() });
    recorder.say(`${fault.name}, ${((Date.now() - from) / 1_000).toFixed(1)} s`);
  }
}

async function tell({ deliveries }: Stage, { samples }: Sampler, recorder: Recorder, over: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(MINUTE, undefined, { signal: over }).catch(() => {});
    if (over.aborted) return;
    recorder.loads.push(loadavg()[0] ?? 0);
    const last = samples.at(-1);
    // All of them would hold up for a moment what is measured here.
    const from = deliveries.newest - RECENT;
    const waiting = ROUTES.map((route) => `${route} waits for ${outstanding(deliveries.tally(route, { from }))}`);
    recorder.say(
      `${deliveries.emitted} emitted, ${waiting.join(', ')}; ${Math.round(last?.rssMiB ?? 0)} MiB, ` +
        `${last?.handles} handles, WAL ${Math.round(last?.walMiB ?? 0)} MiB, load ${recorder.loads.at(-1)?.toFixed(1)}`,
    );
  }
}

function outstanding({ missing, waiting }: Tally): number {
  return missing.length + waiting;
}

/** Milliseconds until everything up to that resourceVersion had arrived; undefined when it takes too long. */
async function settled({ deliveries }: Stage, upTo: number, stop: AbortSignal): Promise<number | undefined> {
  const began = Date.now();
  while (Date.now() - began < SETTLE_MS && !stop.aborted) {
    if (ROUTES.every((route) => outstanding(deliveries.tally(route, { upTo })) === 0)) return Date.now() - began;
    await sleep(500);
  }
  return undefined;
}

/** Heard once, Ctrl-C ends the load; heard twice, it ends everything. */
function interrupted(): { readonly load: AbortSignal; readonly all: AbortSignal } {
  const [load, all] = [new AbortController(), new AbortController()];
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => (load.signal.aborted ? all : load).abort());
  }
  return { load: load.signal, all: all.signal };
}

async function soak(options: Options): Promise<Soak> {
  const { rate, seed } = options;
  const interrupt = interrupted();
  await using stage = await openStage(rate);
  await using sampler = new Sampler(stage);
  const recorder = new Recorder();
  const over = AbortSignal.any([AbortSignal.timeout(options.for), interrupt.load]);
  await Promise.all([harm(stage, options, recorder, over), tell(stage, sampler, recorder, over)]);
  const ended = Date.now();
  const upTo = stage.deliveries.newest;
  recorder.say('the load is over, everything has to arrive');
  const settledMs = await settled(stage, upTo, interrupt.all);
  const { samples } = sampler;
  const { deliveries } = stage;
  const { began, done, failures, loads } = recorder;
  const tallies = new Map(ROUTES.map((route) => [route, deliveries.tally(route, { upTo })]));
  const verdict = judge({ samples, tallies, settledMs, failures });
  return { began, ended, rate, seed, done, samples, tallies, deliveries, settledMs, loads, verdict };
}

const PAGE = new URL('../../RELIABILITY.md', import.meta.url);
const PICTURE = 'docs/soak.svg';

/** Puts what was found where people read it. */
async function write(found: Soak, command: string): Promise<void> {
  await writeFile(new URL(`../../${PICTURE}`, import.meta.url), pictureOf(found));
  const page = await readFile(PAGE, 'utf8');
  const when = `\`${command}\`, ${new Date(found.began).toISOString().slice(0, 10)}`;
  const broken = found.verdict.broken.map((one) => `- broken: ${one}`);
  const body = [when, `![The soak over time](${PICTURE})`, tableOf(found), ...broken].join('\n\n');
  await writeFile(
    PAGE,
    page.replace(/(<!-- soak -->\n)[\s\S]*(<!-- \/soak -->)/, (_, begin, end) => `${begin}\n${body}\n\n${end}`),
  );
}

async function main(): Promise<number> {
  if (values.help || values.list) {
    process.stdout.write(values.help ? HELP : FAULTS.map(({ name }) => `${name}\n`).join(''));
    return 0;
  }
  const parsed = Options.safeParse(values);
  if (!parsed.success) {
    process.stderr.write(`${z.prettifyError(parsed.error)}\n\n${HELP}`);
    return 2;
  }
  const options = parsed.data;
  const command = `npm run soak -- --for ${values.for} --rate ${options.rate} --every ${values.every} --seed ${options.seed}`;
  process.stdout.write(`${command}\n`);
  const found = await soak(options);
  if (values.write) await write(found, command);
  const { broken } = found.verdict;
  process.stdout.write(`\n${summaryOf(found)}\n\n`);
  for (const what of broken) process.stdout.write(`✗ ${what}\n`);
  process.stdout.write(broken.length === 0 ? 'every promise held\n' : `again: ${command}\n`);
  if (values.json) process.stdout.write(`${jsonOf(found)}\n`);
  return broken.length === 0 ? 0 : 1;
}

process.exitCode = await main();
