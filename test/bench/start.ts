/** How it begins: cold, behind half a million records, and before a cluster that has a million open Events. */
import { atMost, type Bench, type Measured, type Options } from './bench.ts';
import { startBroker } from './brokers.ts';
import { Daemon } from './daemon.ts';
import type { LoadCalls } from './load-process.ts';
import { behind } from './memory.ts';
import { Peer } from './peer.ts';
import { spreadOf } from './spread.ts';
import { LOAD, openStage } from './stage.ts';
import { memory } from './usage.ts';

const MEMORY_GOAL = 200;

export const coldStart: Bench = {
  name: 'start',
  sentence: 'Seconds from the start of the process to the first Event that its broker has acknowledged',
  async run({ quick, brokers, say }) {
    const found: Measured[] = [];
    for (const name of brokers) {
      await using broker = await startBroker(name);
      const seconds: number[] = [];
      for (let round = 0; round < (quick ? 2 : 5); round++) {
        await using load = await Peer.start<LoadCalls>(LOAD);
        await load.call('load', { rate: 100, forSeconds: 0.01 });
        const { to } = await broker.place();
        const server = await load.call('address', undefined);
        const began = performance.now();
        await using daemon = await Daemon.start({
          ...{ server, startFrom: 'oldest' },
          brokers: { it: broker.config },
          routes: [{ name: 'all', startFrom: 'oldest', to: { broker: 'it', ...to } }],
        });
        await daemon.until(['all'], 1);
        seconds.push((performance.now() - began) / 1_000);
      }
      const ours = spreadOf(seconds);
      say(`${name}: ${ours.median.toFixed(2)} s`);
      found.push({ bench: 'start', what: name, unit: 's', ours });
    }
    return found;
  },
};

const BACKLOG = 500_000;

export const backlog: Bench = {
  name: 'backlog',
  sentence: 'Catching up with 500,000 records, at what speed and in how much memory',
  async run(options) {
    await using broker = await startBroker('kafka');
    const measured = await behind(broker, options, BACKLOG);
    return measured.map((one) => ({ ...one, bench: 'backlog' }));
  },
};

const OPEN = 1_000_000;

export const openEvents: Bench = {
  name: 'list',
  sentence: 'A first list of 1,000,000 open Events: how long until all are delivered, and in how much memory',
  async run({ quick, say }: Options) {
    const count = quick ? OPEN / 20 : OPEN;
    await using broker = await startBroker('kafka');
    const fill = async (load: Peer<LoadCalls>) => {
      await load.call('load', { objects: 500, bytes: 1_200, updates: 0, rate: 50_000, forSeconds: count / 50_000 });
    };
    await using stage = await openStage({ brokers: [broker], startFrom: 'oldest', before: fill });
    const began = performance.now();
    await stage.daemon.until(['kafka-0'], count, 200);
    const seconds = (performance.now() - began) / 1_000;
    const { peakMiB } = await memory(stage.daemon.pid);
    const what = `${count} open Events`;
    say(`${what}: delivered within ${seconds.toFixed(0)} s, ${peakMiB.toFixed(0)} MiB`);
    return [
      { bench: 'list', what: `${what}, all delivered`, unit: 's', ours: spreadOf([seconds]) },
      {
        ...{ bench: 'list', what: `${what}, most`, unit: 'MiB', ours: spreadOf([peakMiB]) },
        goal: atMost(peakMiB, MEMORY_GOAL, `${MEMORY_GOAL} MiB`),
      },
    ];
  },
};
