/** What an Event costs the CPU at a constant rate, beyond what the broker's client costs alone; and which step costs what. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atMost, type Bench, inTurns, type Measured, type Options } from './bench.ts';
import { type Broker, type BrokerName, startBroker } from './brokers.ts';
import { type Step, sharesOf } from './profile.ts';
import { type Spread, spreadOf } from './spread.ts';
import { openStage } from './stage.ts';
import { Match } from './throughput.ts';

/** Events a second: what each can do on two processors with everything on them. */
const RATES: Readonly<Record<BrokerName, number>> = { kafka: 5_000, mqtt: 5_000, nats: 5_000, pubsub: 1_000 };
const SECONDS = 10;
const GOAL = 35;
const UNIT = 'us an Event';

async function ofBroker(name: BrokerName, { quick, say }: Options): Promise<readonly Measured[]> {
  await using broker = await startBroker(name);
  const rate = RATES[name];
  const count = rate * (quick ? SECONDS / 2 : SECONDS);
  const own = await ownCost(broker, { rate, count, rounds: quick ? 1 : 3 });
  const shares = await profiled(broker, { rate, count });
  say(`${name} at ${rate}/s: ${own.whole.median.toFixed(1)} us, of its own ${own.own.median.toFixed(1)} us`);
  const line = (what: string, ours: Spread): Measured => ({
    ...{ bench: 'cpu', what: `${name} at ${rate}/s${what}`, unit: UNIT, ours },
  });
  const steps = Array.from(shares, ([step, share]): Measured => {
    return line(`: ${step}`, spreadOf([share * own.whole.median]));
  });
  const goal = name === 'kafka' ? { goal: atMost(own.own.median, GOAL, `${GOAL} us`) } : {};
  return [line(', the whole daemon', own.whole), { ...line(', beyond the client', own.own), ...goal }, ...steps];
}

interface Rounds {
  readonly rate: number;
  readonly count: number;
  readonly rounds: number;
}

async function ownCost(broker: Broker, { rate, count, rounds }: Rounds) {
  await using match = await Match.begin(broker);
  const [{ client }] = broker.raw;
  const contenders = { ours: () => match.ours(count, rate), theirs: () => match.theirs(client, count, rate) };
  await inTurns(1, contenders);
  const { ours, theirs } = await inTurns(rounds, contenders);
  const own = ours.map((turn, round) => turn.cpuMicrosPerEvent - (theirs[round]?.cpuMicrosPerEvent ?? Number.NaN));
  return { whole: spreadOf(ours.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent)), own: spreadOf(own) };
}

/** A run of its own, for to be looked at costs something itself. The profile has the warm-up too, so it is a long run. */
async function profiled(broker: Broker, { rate, count }: Omit<Rounds, 'rounds'>): Promise<ReadonlyMap<Step, number>> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-profile-'));
  {
    await using stage = await openStage({
      brokers: [broker],
      flags: ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${directory.path}`],
    });
    await stage.emit(count * 2, rate);
    await stage.settled();
  }
  // Before the directory goes.
  return await sharesOf(directory.path);
}

export const cpu: Bench = {
  name: 'cpu',
  sentence: 'CPU an Event at a constant rate, beyond that of the client alone, and by step',
  async run(options) {
    const found: Measured[] = [];
    for (const name of options.brokers) found.push(...(await ofBroker(name, options)));
    return found;
  },
};
