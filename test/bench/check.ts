/**
 * `--check`: whether an Event has become dearer, by what a busy machine leaves as it is. The CPU that the daemon takes for
 * an Event is judged beside what the broker's own client takes in the same minute, and what it allocates is counted.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { allocatedIn } from './allocated.ts';
import { inTurns, type Options } from './bench.ts';
import { type BrokerName, startBroker } from './brokers.ts';
import { ratioOf } from './spread.ts';
import { openStage } from './stage.ts';
import { Match } from './throughput.ts';

const BASELINE = new URL('./baseline.json', import.meta.url);
/** What costs so much of what it did fails: half again is found, and no noise that was ever seen comes near. */
const MARGIN = { cpuRatio: 1.3, allocatedBytes: 1.25 } as const;

const Costs = z.strictObject({ cpuRatio: z.number().positive(), allocatedBytes: z.number().positive() });
type Costs = z.output<typeof Costs>;
const Baseline = z.record(z.string(), Costs);

const BROKERS = ['kafka', 'nats'] as const satisfies readonly BrokerName[];
const ROUND = 10_000;
const ROUNDS = 5;

async function costsOf(name: BrokerName): Promise<Costs> {
  await using broker = await startBroker(name);
  const cpuRatio = await cpuRatioOf(await Match.begin(broker), broker.raw[0].client);
  await using stage = await openStage({ brokers: [broker], flags: ['--trace-gc'] });
  // Until it is compiled, it allocates otherwise.
  await stage.emit(ROUND);
  await stage.settled();
  const { log } = stage.daemon.program;
  const before = (await readFile(log, 'utf8')).length;
  await stage.emit(ROUND);
  await stage.settled();
  const allocatedBytes = allocatedIn((await readFile(log, 'utf8')).slice(before)) / ROUND;
  return { cpuRatio, allocatedBytes };
}

async function cpuRatioOf(match: Match, client: string): Promise<number> {
  await using _ = match;
  const contenders = { ours: () => match.ours(ROUND), theirs: () => match.theirs(client, ROUND) };
  await inTurns(2, contenders);
  const { ours, theirs } = await inTurns(ROUNDS, contenders);
  const cost = ({ cpuMicrosPerEvent }: { readonly cpuMicrosPerEvent: number }) => cpuMicrosPerEvent;
  return ratioOf(ours.map(cost), theirs.map(cost)).median;
}

/** True when nothing has become dearer; with `accept` what was measured is what later runs are held against. */
export async function check({ say }: Pick<Options, 'say'>, accept: boolean): Promise<boolean> {
  const measured: Record<string, Costs> = {};
  for (const name of BROKERS) measured[name] = await costsOf(name);
  if (accept) await writeFile(BASELINE, `${JSON.stringify(measured, undefined, 2)}\n`);
  const known = Baseline.parse(JSON.parse(await readFile(BASELINE, 'utf8')));
  let good = true;
  for (const name of BROKERS) {
    for (const cost of ['cpuRatio', 'allocatedBytes'] as const) {
      const [now, then] = [measured[name]?.[cost] ?? Number.NaN, known[name]?.[cost] ?? Number.NaN];
      const fits = now <= then * MARGIN[cost];
      good &&= fits;
      const verdict = fits ? '✓' : '✗ dearer than it may be:';
      say(`${verdict} ${name}, ${cost}: ${now.toFixed(2)}, was ${then.toFixed(2)}, may be ${MARGIN[cost]} times that`);
    }
  }
  return good;
}
