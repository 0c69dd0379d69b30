/** A run against the promises, each told in words when it is broken. It knows what was recorded, and starts nothing. */
import { sumOf } from '../faults/promises.ts';
import type { RouteCounters } from '../faults/scrape.ts';
import type { Tally } from './deliveries.ts';
import { type Line, lineThrough } from './slope.ts';

/** One look at the daemon. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Which start of the daemon it belongs to, counted from 0. */
  readonly life: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly handles: number;
  readonly journalMiB: number;
  readonly walMiB: number;
  /** The event loop's delay since the look before. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  readonly routes: ReadonlyMap<string, RouteCounters>;
}

export interface Recorded {
  readonly samples: readonly Sample[];
  readonly tallies: ReadonlyMap<string, Tally>;
  /** From the last emission that counts until all had arrived; undefined when they never had. */
  readonly settledMs: number | undefined;
  /** Faults that could not be done, or mended. */
  readonly failures: readonly string[];
}

/** Resident memory from one life of the daemon, by the lowest of each minute: what comes and goes is no leak. */
export interface Growth extends Line {
  readonly life: number;
  readonly minutes: number;
}

export interface Verdict {
  readonly broken: readonly string[];
  /** Of each life that was long enough to be judged. */
  readonly growth: readonly Growth[];
}

const MINUTE = 60_000;
/** A start loads code, fills caches and, with its first backlogs, finds how large its heap has to be. */
const WARM_UP_MS = 5 * MINUTE;
const LEAST_MS = 15 * MINUTE;
/** MiB an hour, beyond what chance explains. */
const GROWTH = 20;
const MORE_HANDLES = 5;

export function judge(recorded: Recorded): Verdict {
  const lives = [...Map.groupBy(recorded.samples, ({ life }) => life).values()];
  const growth = lives.flatMap(growthOf);
  return {
    growth,
    broken: [
      ...[...recorded.tallies].flatMap(([route, tally]) => wrongIn(route, tally)),
      ...(recorded.settledMs === undefined ? [restless(recorded.tallies)] : []),
      ...unbalanced(recorded.samples),
      ...growth.filter(isLeak).map(leak),
      ...lives.flatMap(moreHandles),
      ...recorded.failures,
      ...(recorded.samples.length === 0 ? ['the daemon tells of itself, but it never did'] : []),
    ],
  };
}

function wrongIn(route: string, { emitted, missing, disorder, unknown }: Tally): string[] {
  return [
    ...say(missing, `every revision that was emitted arrives, but ${route} misses`),
    ...say(disorder, `revisions of one object arrive in their order, but on ${route} these came after a newer one:`),
    ...say(unknown, `what arrives was emitted, but ${route} got`),
    ...(emitted === 0 ? [`there is load, but ${route} had nothing to deliver`] : []),
  ];
}

function restless(tallies: Recorded['tallies']): string {
  const behind = Array.from(tallies, ([route, { waiting }]) => `${route} ${waiting}`).join(', ');
  return `everything comes to rest when the load is over, but there waited still: ${behind}`;
}

function say(found: readonly number[], what: string): string[] {
  const some = found.slice(0, 5).join(', ');
  return found.length === 0 ? [] : [`${what} ${found.length} (${some}${found.length > 5 ? ', …' : ''})`];
}

function unbalanced(samples: readonly Sample[]): string[] {
  const looks = samples.flatMap(({ at, routes }) => [...routes].map(([route, counters]) => ({ at, route, counters })));
  const wrong = looks.filter(({ counters }) => counters.read !== sumOf(counters));
  const [first] = wrong;
  if (first === undefined) return [];
  return [
    `read = delivered + filtered + limited + dead + expired + pending at all times, but ${wrong.length} of ${looks.length} ` +
      `times it was not; first on ${first.route} at ${new Date(first.at).toISOString()}: ${JSON.stringify(first.counters)}`,
  ];
}

/** None for a life that was too short to tell. */
function growthOf(life: readonly Sample[]): Growth[] {
  const [first, last] = [life[0], life.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < LEAST_MS) return [];
  const warm = life.filter(({ at }) => at - first.at >= WARM_UP_MS);
  const minutes = Map.groupBy(warm, ({ at }) => Math.floor((at - first.at) / MINUTE));
  const points = Array.from(minutes, ([minute, samples]) => ({
    x: minute / 60,
    y: Math.min(...samples.map(({ rssMiB }) => rssMiB)),
  }));
  return [{ ...lineThrough(points), life: first.life, minutes: Math.round((last.at - first.at) / MINUTE) }];
}

function isLeak({ slope, error }: Growth): boolean {
  return slope - 2 * error > GROWTH;
}

function leak({ slope, error, life, minutes }: Growth): string {
  return `memory does not grow, but from the daemon’s start ${life + 1} on, in ${minutes} minutes, it grew by ${slope.toFixed(1)} ± ${error.toFixed(1)} MiB an hour`;
}

function moreHandles(life: readonly Sample[]): string[] {
  const [first, last] = [life[0], life.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < 4 * MINUTE) return [];
  const before = median(life.filter(({ at }) => at - first.at >= MINUTE && at - first.at < 2 * MINUTE));
  const after = median(life.filter(({ at }) => last.at - at < MINUTE));
  return after - before > MORE_HANDLES
    ? [`handles go back to what they were, but ${before} have become ${after} from start ${first.life + 1} on`]
    : [];
}

function median(samples: readonly Sample[]): number {
  const sorted = samples.map(({ handles }) => handles).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
