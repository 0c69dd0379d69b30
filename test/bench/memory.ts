/** MiB that the daemon holds: idle, under load, and with much behind it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { atMost, type Bench, type Measured, type Options } from './bench.ts';
import { type Broker, type BrokerName, startBroker } from './brokers.ts';
import { spreadOf } from './spread.ts';
import { openStage, type Stage } from './stage.ts';
import { memory } from './usage.ts';

const IDLE_GOAL = 110;
const GOAL = 200;
const BEHIND = 200_000;

function line(what: string, mib: number, most: number): Measured {
  return { bench: 'memory', what, unit: 'MiB', ours: spreadOf([mib]), goal: atMost(mib, most, `${most} MiB`) };
}

/** After it has watched for a while: what the start leaves behind is collected. */
async function idle(stage: Stage, quick: boolean): Promise<number> {
  await sleep(quick ? 5_000 : 30_000);
  return (await memory(stage.daemon.pid)).rssMiB;
}

async function ofBroker(name: BrokerName, options: Options): Promise<readonly Measured[]> {
  await using broker = await startBroker(name);
  await using stage = await openStage({ brokers: [broker] });
  const resting = await idle(stage, options.quick);
  const rate = name === 'pubsub' ? 1_000 : 5_000;
  await stage.emit(rate * (options.quick ? 5 : 30), rate);
  await stage.settled();
  const { peakMiB } = await memory(stage.daemon.pid);
  options.say(`${name}: idle ${resting.toFixed(0)} MiB, at ${rate}/s at most ${peakMiB.toFixed(0)} MiB`);
  return [
    line(`${name}, idle`, resting, IDLE_GOAL),
    line(`${name}, most at ${rate}/s`, peakMiB, GOAL),
    ...(name === 'kafka' ? await behind(broker, options) : []),
  ];
}

/** Its broker is frozen meanwhile, and then it drains. */
export async function behind(broker: Broker, { quick, say }: Options, count = BEHIND): Promise<readonly Measured[]> {
  const amount = quick ? count / 4 : count;
  await using stage = await openStage({ brokers: [broker] });
  process.kill(broker.pid, 'SIGSTOP');
  await stage.emit(amount, 10_000).finally(() => process.kill(broker.pid, 'SIGCONT'));
  const { peakMiB: waiting } = await memory(stage.daemon.pid);
  const began = performance.now();
  await stage.settled();
  const perSecond = (amount * 1_000) / (performance.now() - began);
  const { peakMiB: draining, rssMiB: after } = await memory(stage.daemon.pid);
  const name = `${broker.name}, ${amount} behind`;
  say(
    `${name}: at most ${waiting.toFixed(0)} MiB, ${draining.toFixed(0)} while it drains at ${perSecond.toFixed(0)}/s`,
  );
  return [
    line(`${name}, most while they wait`, waiting, GOAL),
    line(`${name}, most while they drain`, draining, GOAL),
    line(`${name}, afterwards`, after, GOAL),
    { bench: 'memory', what: `${name}, drained`, unit: 'Events/s', ours: spreadOf([perSecond]) },
  ];
}

export const memoryUse: Bench = {
  name: 'memory',
  sentence: 'MiB idle, at 5,000 Events/s and with 200,000 Events behind',
  async run(options) {
    const found: Measured[] = [];
    for (const name of options.brokers) found.push(...(await ofBroker(name, options)));
    return found;
  },
};
