/** How it grows: with routes, with brokers, and with the size of an Event. Each figure is the speed of a flood. */
import type { Bench, Measured, Options } from './bench.ts';
import { BROKERS, type Broker, startBroker } from './brokers.ts';
import { spreadOf } from './spread.ts';
import { openStage, type Stage, type StageSpec } from './stage.ts';
import { cpuMicros } from './usage.ts';

/** A round that is not counted, and then some that are. */
async function speeds(stage: Pick<Stage, 'emit' | 'settled'>, count: number, rounds: number): Promise<number[]> {
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now();
    await stage.emit(count);
    await stage.settled();
    rates.push((count * 1_000) / (performance.now() - began));
  }
  return rates.slice(1);
}

function speed(bench: string, what: string, rates: readonly number[], { say }: Options): Measured {
  const ours = spreadOf(rates);
  say(`${what}: ${ours.median.toFixed(0)}/s`);
  return { bench, what, unit: 'Events/s', ours };
}

/** As on a busy cluster: they come one at a time, and each route wakes for each. */
const RATE = 200;
/** More of them take all of a processor. */
const MOST_AT_RATE = 1_000;

/** The whole daemon's, which a few seconds of it tell well enough. */
async function cost({ daemon, ...stage }: Stage, { quick, say }: Options, number: number): Promise<Measured> {
  const count = RATE * (quick ? 5 : 20);
  const before = await cpuMicros(daemon.pid);
  await stage.emit(count, RATE);
  await stage.settled();
  const ours = spreadOf([((await cpuMicros(daemon.pid)) - before) / count]);
  const what = `${number} routes at ${RATE}/s`;
  say(`${what}: ${ours.median.toFixed(0)} us an Event`);
  return { bench: 'routes', what, unit: 'us an Event', ours };
}

/** Only the first route takes anything; the others are asked for each Event, and say no. All have done with it in the end. */
const ROUTES: readonly (readonly [routes: number, events: number])[] = [
  [1, 40_000],
  [10, 40_000],
  [100, 20_000],
  [1_000, 8_000],
  [10_000, 4_000],
];

export const routes: Bench = {
  name: 'routes',
  sentence: 'Events a second past 1 to 10,000 routes of which one takes them',
  async run(options) {
    const found: Measured[] = [];
    for (const [number, events] of ROUTES) {
      const others = Array.from({ length: number - 1 }, (_, at) => ({
        name: `route-${at}`,
        when: `event.metadata.namespace == "team-${at}" && event.type == "Warning"`,
        to: { broker: 'stdout-0' },
      }));
      await using stage = await openStage({ more: others });
      const rates = await speeds(stage, options.quick ? events / 4 : events, options.quick ? 1 : 3);
      found.push(speed('routes', `${number} routes`, rates, options));
      if (number <= MOST_AT_RATE) found.push(await cost(stage, options, number));
    }
    return found;
  },
};

export const brokers: Bench = {
  name: 'brokers',
  sentence: 'Events a second to 1, 2, 4 and 8 brokers at once, each of which gets all of them',
  async run(options) {
    const found: Measured[] = [];
    for (const number of [1, 2, 4, 8]) {
      await using scope = new AsyncDisposableStack();
      const started: Broker[] = [];
      for (let at = 0; at < number; at++) {
        started.push(scope.use(await startBroker(BROKERS[at % (BROKERS.length - 1)] ?? 'kafka')));
      }
      await using stage = await openStage({ brokers: started });
      const rates = await speeds(stage, options.quick ? 5_000 : 20_000, options.quick ? 1 : 3);
      const names = started.map(({ name }) => name).join(', ');
      found.push(speed('brokers', `${number} at once: ${names}`, rates, options));
    }
    return found;
  },
};

export const sizes: Bench = {
  name: 'sizes',
  sentence: 'Events a second to Kafka, of 1 to 64 KB each',
  async run(options) {
    const found: Measured[] = [];
    for (const kilobytes of [1, 4, 16, 64]) {
      await using broker = await startBroker('kafka');
      const spec: StageSpec = { brokers: [broker], bytes: kilobytes * 1_024 };
      await using stage = await openStage(spec);
      const count = Math.round((options.quick ? 20_000 : 60_000) / kilobytes);
      const rates = await speeds(stage, count, options.quick ? 1 : 3);
      found.push(speed('sizes', `${kilobytes} KB`, rates, options));
    }
    return found;
  },
};
