/** What a soak has found, for a terminal, for a program, as a picture and as a page. */
import { cpus } from 'node:os';
import { type Chart, type Lane, type Point, svgOf } from './chart.ts';
import type { Deliveries, Tally } from './deliveries.ts';
import { FAULTS } from './faults.ts';
import type { Growth, Sample, Verdict } from './judge.ts';

/** A fault that was done. */
export interface Done {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

export interface Soak {
  readonly began: number;
  readonly ended: number;
  readonly rate: number;
  readonly seed: number;
  readonly done: readonly Done[];
  readonly samples: readonly Sample[];
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly deliveries: Deliveries;
  readonly settledMs: number | undefined;
  /** The machine's load average at each minute. */
  readonly loads: readonly number[];
  readonly verdict: Verdict;
}

export function summaryOf(soak: Soak): string {
  return figuresOf(soak)
    .map(([what, figure]) => `${what.padEnd(34)}${figure}`)
    .join('\n');
}

export function jsonOf(soak: Soak): string {
  const routes = Object.fromEntries(
    Array.from(soak.tallies, ([route, tally]) => [
      route,
      { ...tally, missing: tally.missing.length, disorder: tally.disorder.length, unknown: tally.unknown.length },
    ]),
  );
  const { verdict, rate, seed } = soak;
  const highest = (of: (sample: Sample) => number) => Math.max(0, ...soak.samples.map(of));
  return JSON.stringify({
    ok: verdict.broken.length === 0,
    seconds: Math.round((soak.ended - soak.began) / 1_000),
    ...{ rate, seed, faults: soak.done.length, gaps: soak.deliveries.gaps, scrapes: soak.samples.length, routes },
    rssMiB: Math.round(highest(({ rssMiB }) => rssMiB)),
    walMiB: Math.round(highest(({ walMiB }) => walMiB)),
    ...verdict,
  });
}

/** A table in Markdown. */
export function tableOf(soak: Soak): string {
  return ['| | |', '| --- | --- |', ...figuresOf(soak).map(([what, figure]) => `| ${what} | ${figure} |`)].join('\n');
}

function figuresOf(soak: Soak): readonly (readonly [string, string])[] {
  const { samples, tallies, deliveries, verdict, done, loads } = soak;
  const highest = (of: (sample: Sample) => number) => Math.max(0, ...samples.map(of));
  const kills = done.filter(({ name }) => name === 'daemon: killed').length;
  return [
    ['time', `${durationOf(soak)} at ${soak.rate} Events/s, seed ${soak.seed}`],
    ['machine', `${cpus().length} cores, load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`],
    ['faults', `${done.length}, of which ${kills} SIGKILLs of the daemon; gap records: ${deliveries.gaps}`],
    ...Array.from(tallies, ([route, tally]) => [`${route}: what became of it`, fatesOf(tally)] as const),
    ...Array.from(tallies.keys(), (route) => [`${route}: from the API server`, latencyOf(soak, route)] as const),
    [
      'books',
      `${samples.length} scrapes, ${verdict.broken.some((one) => one.startsWith('read =')) ? 'not all' : 'all'} balanced`,
    ],
    ['memory', `${Math.round(highest(({ rssMiB }) => rssMiB))} MiB at most; ${growthOf(verdict.growth)}`],
    ['handles', `${highest(({ handles }) => handles)} at most, ${samples.at(-1)?.handles ?? 0} in the end`],
    [
      'journal',
      `file ${Math.round(highest(({ journalMiB }) => journalMiB))} MiB, WAL ${Math.round(highest(({ walMiB }) => walMiB))} MiB at most`,
    ],
    [
      'event loop, of each 2 s',
      `p99 ${Math.round(middle(samples.map(({ loopP99Ms }) => loopP99Ms)))} ms in the middle`,
    ],
    [
      'at rest after the last fault',
      soak.settledMs === undefined ? 'never' : `${(soak.settledMs / 1_000).toFixed(1)} s`,
    ],
  ];
}

function fatesOf({ emitted, delivered, unrecoverable, missing, waiting, disorder, repeats }: Tally): string {
  const gone = unrecoverable === 0 ? '' : `${count(unrecoverable)} gone and announced, `;
  const behind = waiting === 0 ? '' : `${count(waiting)} still waiting, `;
  return `${count(emitted)} emitted, ${count(delivered)} delivered, ${gone}${behind}**${count(missing.length)} missing**, ${count(disorder.length)} out of order, ${count(repeats)} repeats`;
}

/** What is emitted so long before a fault is not hit by it, and so long afterwards nothing is piled up any more. */
const BEFORE_MS = 2_000;
const AFTERWARDS_MS = 20_000;

function latencyOf({ deliveries, done }: Soak, route: string): string {
  const isCalm = (at: number) => done.every(({ from, to }) => at < from - BEFORE_MS || at > to + AFTERWARDS_MS);
  const [calm, all] = [deliveries.latency(route, isCalm), deliveries.latency(route)];
  const ms = (value: number) => `${count(Math.round(value))} ms`;
  return `p50 ${ms(calm.p50)}, p99 ${ms(calm.p99)} between faults; p99 ${ms(all.p99)}, max ${ms(all.max)} with them`;
}

function growthOf(growth: readonly Growth[]): string {
  if (growth.length === 0) return 'growth not judged, which takes a daemon 15 minutes';
  return growth
    .map(({ slope, error, minutes }) => `${slope.toFixed(1)} ± ${error.toFixed(1)} MiB an hour in ${minutes} min`)
    .join('; ');
}

function durationOf({ began, ended }: Soak): string {
  const seconds = Math.round((ended - began) / 1_000);
  return seconds < 180 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

export function pictureOf(soak: Soak): string {
  const { samples, deliveries, began, tallies } = soak;
  const x = (at: number) => (at - began) / 1_000;
  const of = (name: string, value: (sample: Sample) => number) => ({ name, points: pointsOf(samples, x, value) });
  const routes = [...tallies.keys()];
  const latency = (name: 'p50' | 'p99') =>
    routes.map((route) => ({
      name: `${route} ${name}`,
      points: deliveries.latencies(route).map((one) => ({ x: Math.max(0, x(one.at)), y: Math.max(1, one[name]) })),
    }));
  const chart: Chart = {
    title: `Soak, ${durationOf(soak)}`,
    subtitle: `${soak.rate} Events/s to two brokers, ${soak.done.length} faults; seed ${soak.seed}, ${new Date(began).toISOString().slice(0, 10)}`,
    seconds: x(soak.ended),
    lanes: lanesOf(soak),
    panels: [
      {
        title: 'From the API server to the subscriber, ms',
        scale: 'log',
        series: [...latency('p99'), ...latency('p50')],
      },
      {
        title: 'Memory, MiB',
        scale: 'linear',
        series: [of('resident', (one) => one.rssMiB), of('heap used', (one) => one.heapMiB)],
      },
      { title: 'Handles', scale: 'linear', series: [of('open files', ({ handles }) => handles)] },
      { title: 'Journal’s file, MiB', scale: 'linear', series: [of('file', ({ journalMiB }) => journalMiB)] },
      { title: 'Its WAL, MiB', scale: 'linear', series: [of('WAL', ({ walMiB }) => walMiB)] },
      {
        title: 'Event loop’s delay, ms',
        scale: 'log',
        series: [of('p99', (one) => Math.max(0.1, one.loopP99Ms)), of('max', (one) => Math.max(0.1, one.loopMaxMs))],
      },
    ],
  };
  return svgOf(chart);
}

/** A line for each start of the daemon. */
function pointsOf(samples: readonly Sample[], x: (at: number) => number, value: (sample: Sample) => number): Point[] {
  return samples.flatMap((sample, i) => {
    const before = samples[i - 1];
    const point = { x: x(sample.at), y: value(sample) };
    return before === undefined || before.life === sample.life ? [point] : [{ x: x(before.at), y: Number.NaN }, point];
  });
}

function lanesOf({ done, began }: Soak): Lane[] {
  return FAULTS.map(({ name }) => ({
    name,
    spans: done
      .filter((one) => one.name === name)
      .map(({ from, to }) => ({ from: (from - began) / 1_000, to: (to - began) / 1_000 })),
  }));
}
