/** The brokers of a run: started when the first fault wants them, shared by those that leave them as they were. */
import { startKafka } from '../backends/kafka.ts';
import { startMosquitto } from '../backends/mosquitto.ts';
import { startNats } from '../backends/nats.ts';
import type { Program } from '../backends/process.ts';
import { startPubSub } from '../backends/pubsub.ts';
import {
  kafkaSubscriber,
  mqttSession,
  natsSubscriber,
  pubSubSubscriber,
  type Subscriber,
} from '../main-job/subscribers.ts';

export const BROKERS = ['kafka', 'mqtt', 'nats', 'pubsub'] as const;
export type BrokerName = (typeof BROKERS)[number];

export interface Broker extends AsyncDisposable {
  readonly name: BrokerName;
  readonly program: Program;
  /** A new topic or stream with a reader of its own, and how a route gets there. */
  subscriber(): Promise<Subscriber>;
}

/** With data that survives a kill; but for Pub/Sub, whose fake has none. */
export const START: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  async kafka() {
    const kafka = await startKafka();
    return broker('kafka', kafka, () => kafkaSubscriber(kafka.address));
  },
  async mqtt() {
    const mosquitto = await startMosquitto();
    return broker('mqtt', mosquitto, () => mqttSession(mosquitto.address));
  },
  async nats() {
    const nats = await startNats();
    return broker('nats', nats, () => natsSubscriber(nats.address));
  },
  async pubsub() {
    const pubsub = await startPubSub();
    return broker('pubsub', pubsub, () => pubSubSubscriber(pubsub.address));
  },
};

function broker(
  name: BrokerName,
  started: AsyncDisposable & { readonly program: Program },
  subscriber: () => Promise<Subscriber>,
): Broker {
  return { name, program: started.program, subscriber, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
}
