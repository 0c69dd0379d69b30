/** A broker is away while the journal fills: it comes back, and all of it is drained in order, in little memory. */
import { etcdPutAll } from '../../backends/etcd.ts';
import { storedEvents } from '../../backends/events.ts';
import { metricsAt, until } from '../../main-job/daemon-process.ts';
import type { Fault } from '../fault.ts';
import { leanKafka } from '../lean-kafka.ts';

/** `npm run bench -- --only memory` has 200,000. */
const QUICK = 50_000;
const FULL = 1_000_000;
/** The daemon takes in some thousands a second, and delivers as many. */
const FILL_MS = 1_800_000;
/** 200 is the goal, and the table says what it was; a memory that grew with the backlog would pass this by far. */
const BOUND_MIB = 400;

export const BACKLOG: readonly Fault[] = [
  {
    name: 'backlog: a broker far behind',
    brokers: ['kafka'],
    scene: {
      rate: 0,
      atLeast: QUICK,
      ownKube: true,
      memoryMiB: BOUND_MIB,
      settleMs: FILL_MS,
      journal: { maxSize: '16GiB' },
      start: { kafka: leanKafka },
    },
    async inject(scene) {
      const count = scene.quick ? QUICK : FULL;
      const [kafka] = scene.brokers;
      await kafka?.program.kill();
      await etcdPutAll(scene.kube.address, storedEvents(scene.namespace, count));
      const lag = async () =>
        Number(/^kube_fanout_route_lag_records\{.*\} (\d+)$/m.exec(await metricsAt(scene.metricsPort))?.[1]);
      await until('the daemon has read them all', async () => (await lag()) >= count - 4_096, FILL_MS);
      await kafka?.program.start();
    },
    judge(scene, { scrapes }) {
      const behind = Math.max(...scrapes.flatMap(({ routes }) => [...routes.values()].map(({ lag }) => lag)));
      const drained = scrapes.findLast(({ routes }) => [...routes.values()].some((route) => route.lag > 0));
      const began = scrapes.find(({ routes }) => [...routes.values()].some((route) => route.delivered > 0));
      const seconds = Math.round(((drained?.at ?? 0) - (began?.at ?? 0)) / 1_000);
      scene.notes.set('kafka', `${behind} behind, drained in ${seconds} s`);
      return [];
    },
  },
];
