/** A broker is away while the journal fills: it comes back, and all of it is drained in order, in little memory. */
import { createHash } from 'node:crypto';
import { etcdPutAll } from '../../backends/etcd.ts';
import { storedEvents } from '../../backends/events.ts';
import { startKafka } from '../../backends/kafka.ts';
import { metricsAt, until } from '../../main-job/daemon-process.ts';
import { kafkaSubscriber, type Seen } from '../../main-job/subscribers.ts';
import { brokerOf, owned } from '../brokers.ts';
import type { Fault } from '../fault.ts';

const QUICK = 200_000;
const FULL = 1_000_000;
/** The daemon takes in some thousands a second, and delivers as many. */
const FILL_MS = 1_800_000;
/** 200 is the goal, and the table says what it was; a memory that grew with the backlog would pass this by far. */
const BOUND_MIB = 320;

/** A million of them must fit into the memory of whoever judges: of what nobody reads, a hash will do. */
function lean(seen: Seen): Seen {
  if (seen.type !== 'kube-fanout.event.v1') return seen;
  const data = createHash('sha256').update(JSON.stringify(seen.data)).digest('base64');
  return { ...seen, attributes: { origin: seen.attributes.origin }, data };
}

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
      start: {
        kafka: async () =>
          owned(await startKafka(), (kafka) => ({
            ...brokerOf.kafka(kafka),
            subscriber: () => kafkaSubscriber(kafka.address, undefined, {}, lean),
          })),
      },
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
