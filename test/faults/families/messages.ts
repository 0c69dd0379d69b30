import { randomUUID } from 'node:crypto';
import { coreEvent, hostileEvents } from '../../backends/events.ts';
import { EventWriter, type NewEvent } from '../../backends/load.ts';
import { startMosquitto } from '../../backends/mosquitto.ts';
import { startNats } from '../../backends/nats.ts';
import type { TruthRevision } from '../../backends/truth.ts';
import { kafkaSubscriber, mqttSession, natsSubscriber } from '../../main-job/subscribers.ts';
import { BROKERS, type BrokerName, brokerOf, owned } from '../brokers.ts';
import { splitBrokers } from '../destinations.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';
import type { World } from '../world.ts';

/** Far below what a broker takes by default, so that it costs little to exceed it. */
const LIMIT = 100_000;

const begins =
  (beginning: string) =>
  ({ name }: TruthRevision) =>
    name.startsWith(beginning);

/** Events among others that some broker can never take: those and no others become dead letters. */
export const MESSAGES: readonly Fault[] = [
  {
    name: 'messages: over the limit that the broker tells',
    brokers: ['kafka', 'mqtt', 'nats'],
    scene: {
      dies: (revision) => (begins('big.')(revision) ? 'too-large' : undefined),
      start: {
        async kafka({ kafka }) {
          const backend = await kafka();
          const config = { 'max.message.bytes': String(LIMIT) };
          return { ...brokerOf.kafka(backend), subscriber: () => kafkaSubscriber(backend.address, undefined, config) };
        },
        mqtt: async () => owned(await startMosquitto({ settings: [`max_packet_size ${LIMIT}`] }), brokerOf.mqtt),
        nats: async () => owned(await startNats({ settings: [`max_payload: ${LIMIT}`] }), brokerOf.nats),
      },
    },
    inject: (scene) => among(scene, (i) => about(scene, `big.${i}`, i, { message: 'x'.repeat(2 * LIMIT) })),
  },
  {
    name: 'messages: over a limit that only the broker knows',
    brokers: ['kafka', 'nats'],
    scene: {
      dies: (revision) => (begins('big.')(revision) ? 'too-large' : undefined),
      start: {
        kafka: splitBrokers({ names: ['all'], by: '"all"', limit: LIMIT }).kafka,
        async nats({ nats }) {
          const backend = await nats();
          const config = { max_msg_size: LIMIT };
          return { ...brokerOf.nats(backend), subscriber: () => natsSubscriber(backend.address, undefined, config) };
        },
      },
    },
    inject: (scene) => among(scene, (i) => about(scene, `big.${i}`, i, { message: 'x'.repeat(2 * LIMIT) })),
  },
  {
    name: 'messages: a destination that cannot be',
    brokers: BROKERS,
    scene: {
      dies: (revision) => (begins('long.')(revision) ? 'invalid-destination' : undefined),
      start: splitBrokers({ names: ['_'], by: 'event.reason.startsWith("Long") ? event.reason : ""' }),
    },
    inject: (scene) => among(scene, (i) => about(scene, `long.${i}`, i, { reason: `Long${'x'.repeat(70_000)}` })),
  },
  {
    name: 'messages: hostile',
    brokers: BROKERS,
    scene: {
      // More than Kafka and NATS take by default: see hostileEvents.
      dies: (revision, broker) => (begins('note-3.')(revision) && takesLess(broker) ? 'too-large' : undefined),
      start: {
        async mqtt({ mqtt }: World) {
          const backend = await mqtt();
          const root = randomUUID();
          const topic = `${root}/{event.metadata.namespace}/{event.regarding.kind}/{event.reason}`;
          const subscriber = async () => ({ ...(await mqttSession(backend.address, `${root}/#`)), to: { topic } });
          return { ...brokerOf.mqtt(backend), subscriber };
        },
        async nats({ nats }: World) {
          const backend = await nats();
          const stream = `HOSTILE${randomUUID().replaceAll('-', '')}`;
          const to = { subject: `${stream}.{event.metadata.namespace}.{event.reason}` };
          const config = { subjects: [`${stream}.>`] };
          const subscriber = async () => ({ ...(await natsSubscriber(backend.address, stream, config)), to });
          return { ...brokerOf.nats(backend), subscriber };
        },
      },
    },
    async inject(scene) {
      await using writer = new EventWriter(scene.kube.address);
      for (let round = 0; round < (scene.quick ? 2 : 20); round += 1) {
        await scene.written(100);
        await writer.each(hostileEvents(scene.namespace), (event) => writer.create(event));
      }
      await scene.written(300);
    },
  },
];

function takesLess(broker: BrokerName): boolean {
  return broker === 'kafka' || broker === 'nats';
}

/** Writes the Events that `of` makes, one now and then, while the others are written. */
async function among(scene: Scene, of: (i: number) => NewEvent): Promise<void> {
  await using writer = new EventWriter(scene.kube.address, 1);
  for (let i = 0; i < (scene.quick ? 30 : 300); i += 1) {
    await scene.written(20);
    await writer.create(of(i));
  }
  await scene.written(100);
}

/** About one of the Pods that the others are about. */
function about({ namespace }: Scene, name: string, i: number, fields: object): NewEvent {
  const pod = `web-${i % 50}`;
  const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod, uid: `uid-of-${pod}` };
  return coreEvent(name, { namespace, involvedObject, ...fields });
}
