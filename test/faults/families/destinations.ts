import { setTimeout as sleep } from 'node:timers/promises';
import { BROKERS } from '../brokers.ts';
import { classify } from '../classes.ts';
import { readDeliveries, spansOf } from '../deliveries.ts';
import { splitBrokers } from '../destinations.ts';
import type { Fault } from '../fault.ts';
import type { History } from '../history.ts';
import type { Scene } from '../scene.ts';

const halves = { names: ['low', 'high'], by: 'event.regarding.name < "web-3" ? "low" : "high"' };

/** The daemon notes a delivery a little after the broker has acknowledged it. */
const NOTED_LATE_MS = 2_000;

/** Destinations that an operator takes away, and gives back. */
export const DESTINATIONS: readonly Fault[] = [
  {
    name: 'brokers: half of the destinations refused',
    brokers: BROKERS,
    scene: { start: splitBrokers({ ...halves, hit: ['high'], how: 'forbidden' }) },
    inject: (scene) => outages(scene, { times: scene.quick ? 1 : 3, ms: scene.quick ? 6_000 : 120_000 }),
  },
  {
    name: 'brokers: permission revoked and given back',
    brokers: BROKERS,
    scene: { start: splitBrokers({ ...halves, hit: halves.names, how: 'forbidden' }) },
    inject: (scene) => outages(scene, { times: 1, ms: scene.quick ? 8_000 : 600_000 }),
  },
  {
    name: 'brokers: topic deleted and made again',
    brokers: ['kafka', 'nats', 'pubsub'],
    scene: {
      start: splitBrokers({ ...halves, hit: ['high'], how: 'gone' }),
      // What was acknowledged between the last look and the deletion went with it.
      brokersMayLose: ['kafka', 'nats', 'pubsub'],
    },
    inject: (scene) => outages(scene, { times: scene.quick ? 2 : 10, ms: scene.quick ? 3_000 : 20_000 }),
    judge: lostWithTheTopicOnly,
  },
];

async function outages(scene: Scene, { times, ms }: { times: number; ms: number }): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await scene.written(300);
    scene.mark('ends');
    await Promise.all(scene.brokers.map(({ outage }) => outage?.begin()));
    scene.mark('gone');
    await sleep(ms);
    await Promise.all(scene.brokers.map(({ outage }) => outage?.end()));
  }
  await scene.written(300);
}

/** What the broker has lost it had acknowledged before the topic was gone: never a topic that was not there. */
async function lostWithTheTopicOnly(scene: Scene, history: History): Promise<readonly string[]> {
  const deliveries = await readDeliveries(scene.journal);
  const spans = spansOf(scene.moments, 'ends');
  return history.routes.flatMap((route) => {
    const { of } = classify(history, route);
    const others = deliveries.filter(
      ({ route: name, id, deliveredAt }) =>
        name === route.route &&
        of.get(id) === 'lost by broker' &&
        !spans.some(({ from, to }) => from <= deliveredAt && deliveredAt <= to + NOTED_LATE_MS),
    );
    return others.length === 0
      ? []
      : `only what was acknowledged before a deletion may be lost with it, but ${route.route} lost ${others.length} others, such as ${others[0]?.id}`;
  });
}
