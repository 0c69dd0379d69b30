/** The brokers of a run, each with a reader that is not the daemon's client. */
import { type KafkaBackend, startKafka } from '../backends/kafka.ts';
import { type MosquittoBackend, startMosquitto } from '../backends/mosquitto.ts';
import { type NatsBackend, startNats } from '../backends/nats.ts';
import type { Program } from '../backends/process.ts';
import { type PubSubBackend, startPubSub } from '../backends/pubsub.ts';
import {
  kafkaSubscriber,
  mqttSession,
  natsSubscriber,
  pubSubSubscriber,
  type Subscriber,
} from '../main-job/subscribers.ts';

export const BROKERS = ['kafka', 'mqtt', 'nats', 'pubsub'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** A way in which a broker fails; it is whole again when `end` settles. */
export interface Outage {
  begin(): Promise<void>;
  end(): Promise<void>;
}

export interface Broker extends AsyncDisposable {
  readonly name: BrokerName;
  readonly program: Program;
  /** A new topic or stream with a reader of its own, and how a route gets there. */
  subscriber(): Promise<Subscriber>;
  /** What a fault that starts it for that can do to it. */
  readonly outage?: Outage;
}

/** Around what runs already; to dispose of it ends nothing. */
export const brokerOf = {
  kafka: ({ program, address }: KafkaBackend): Broker => broker('kafka', program, () => kafkaSubscriber(address)),
  mqtt: ({ program, address }: MosquittoBackend): Broker => broker('mqtt', program, () => mqttSession(address)),
  nats: ({ program, address }: NatsBackend): Broker => broker('nats', program, () => natsSubscriber(address)),
  pubsub: ({ program, address }: PubSubBackend): Broker => broker('pubsub', program, () => pubSubSubscriber(address)),
};

function broker(name: BrokerName, program: Program, subscriber: () => Promise<Subscriber>): Broker {
  return { name, program, subscriber, async [Symbol.asyncDispose]() {} };
}

/** A broker of one's own, with data that survives a kill; but for Pub/Sub, whose fake has none. */
export const START: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  kafka: async () => owned(await startKafka(), brokerOf.kafka),
  mqtt: async () => owned(await startMosquitto(), brokerOf.mqtt),
  nats: async () => owned(await startNats(), brokerOf.nats),
  pubsub: async () => owned(await startPubSub(), brokerOf.pubsub),
};

/** The broker ends with it. */
export function owned<Backend extends AsyncDisposable>(backend: Backend, of: (backend: Backend) => Broker): Broker {
  return { ...of(backend), [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose]() };
}
