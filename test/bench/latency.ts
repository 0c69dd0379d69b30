/** From the moment at which the API server has an Event to the moment at which the daemon has the broker's receipt. */
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { atMost, type Bench, type Measured, type Options } from './bench.ts';
import { type BrokerName, startBroker } from './brokers.ts';
import { quantile, spreadOf } from './spread.ts';
import { openStage } from './stage.ts';

const RATES = [100, 1_000, 5_000];
const WARM_UP_SECONDS = 5;

/** Milliseconds since 1970 at which one revision was where. The journal keeps whole ones. */
interface Trail {
  readonly written: number;
  readonly read: number;
  readonly appended: number;
  readonly delivered: number;
}

/** What was waited for, between two of them. */
const STEPS = {
  'in the watch, and read': ({ written, read }: Trail) => read - written,
  'for the commit before': ({ read, appended }: Trail) => appended - read,
  'for its own commit, and the broker': ({ appended, delivered }: Trail) => delivered - appended,
};

const Row = z.object({ position: z.string(), read: z.string(), appended: z.int(), delivered: z.int() });

/** Half a millisecond is what whole ones leave out on average. */
const CUT_MS = 0.5;

function trailsOf(journal: string, written: ReadonlyMap<string, number>): readonly Trail[] {
  using file = new DatabaseSync(journal, { readOnly: true });
  const rows = file.prepare(
    `SELECT position, attributes ->> 'recordedtime' AS read, appended_at AS appended, delivered_at AS delivered
     FROM records JOIN receipts USING (stream, epoch, position)`,
  );
  const trails: Trail[] = [];
  for (const row of rows.iterate()) {
    const { position, read, appended, delivered } = Row.parse(row);
    const at = written.get(position.slice(2).replace(/~$/, ''));
    const cut = (ms: number) => ms + CUT_MS;
    if (at !== undefined)
      trails.push({ written: at, read: cut(Date.parse(read)), appended: cut(appended), delivered: cut(delivered) });
  }
  return trails;
}

async function at(rate: number, name: BrokerName, { quick, say }: Options): Promise<readonly Measured[]> {
  const seconds = quick ? 5 : 20;
  await using broker = await startBroker(name);
  const stage = await openStage({ brokers: [broker] });
  await using _ = stage;
  await stage.emit(rate * WARM_UP_SECONDS, rate);
  await stage.settled();
  await stage.emit(rate * seconds, rate);
  await stage.settled();
  const written = new Map(await stage.load.call('emitted', rate * WARM_UP_SECONDS));
  await stage.daemon.program.stop();
  const trails = trailsOf(stage.daemon.journal, written);
  if (trails.length < rate * seconds) throw new Error(`${trails.length} receipts for ${rate * seconds} Events`);
  const sorted = trails.map(({ written: from, delivered }) => delivered - from).sort((a, b) => a - b);
  const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
  say(`${name} at ${rate}/s: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  const line = (what: string, ms: number): Measured => {
    return { bench: 'latency', what: `${name} at ${rate}/s, ${what}`, unit: 'ms', ours: spreadOf([ms]) };
  };
  const goal = (ms: number, most: number) => (rate === 1_000 ? { goal: atMost(ms, most, `${most} ms`) } : {});
  const steps = Object.entries(STEPS).map(([step, of]) => {
    return line(`mean ${step}`, trails.reduce((sum, trail) => sum + of(trail), 0) / trails.length);
  });
  return [{ ...line('p50', p50), ...goal(p50, 3) }, { ...line('p99', p99), ...goal(p99, 10) }, ...steps];
}

export const latency: Bench = {
  name: 'latency',
  sentence: "Milliseconds from the API server to the broker's acknowledgement, at 100, 1,000 and 5,000 Events/s",
  async run(options) {
    const found: Measured[] = [];
    for (const name of options.brokers) {
      // Google's fake takes no more with ordering keys.
      for (const rate of RATES.filter((one) => name !== 'pubsub' || one <= 1_000))
        found.push(...(await at(rate, name, options)));
    }
    return found;
  },
};
