/** The brokers of the benchmarks: each with places to publish into, and its own client at its fastest. */
import { randomUUID } from 'node:crypto';
import { PubSub } from '@google-cloud/pubsub';
import { Kafka, logLevel } from 'kafkajs';
import { startKafka } from '../backends/kafka.ts';
import { startMosquitto } from '../backends/mosquitto.ts';
import { startNats } from '../backends/nats.ts';
import { startPubSub } from '../backends/pubsub.ts';
import { handOver, type Started } from '../backends/source.ts';
import { NatsWire } from '../contract/nats-wire.ts';
import { PUBSUB_PROJECT, type RawSpec } from './raw-process.ts';

export const BROKERS = ['kafka', 'mqtt', 'nats', 'pubsub'] as const;
export type BrokerName = (typeof BROKERS)[number];

type Raw = Pick<RawSpec, 'client' | 'address' | 'batch' | 'underWay'>;

export interface Broker extends AsyncDisposable {
  readonly name: BrokerName;
  /** Its entry in the config. */
  readonly config: object;
  /** The first is the client that the daemon uses. */
  readonly raw: readonly [Raw, ...Raw[]];
  readonly pid: number;
  /** A new topic or stream; `to` is how a route names it. */
  place(): Promise<{ readonly destination: string; readonly to: object }>;
}

type Description<Address> = (address: Address) => Omit<Broker, 'name' | 'pid' | typeof Symbol.asyncDispose>;

async function described<Address>(
  name: BrokerName,
  starting: Promise<Started<Address> & { readonly program: { readonly pid: number | undefined } }>,
  describe: Description<Address>,
): Promise<Broker> {
  await using scope = new AsyncDisposableStack();
  const { address, program } = scope.use(await starting);
  return handOver(scope, { ...describe(address), name, pid: program.pid ?? 0 });
}

const PARTITIONS = 3;

const START: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  kafka: () =>
    described('kafka', startKafka(), ({ bootstrap }) => ({
      config: { kafka: { bootstrap: [bootstrap] } },
      raw: [
        { client: 'kafkajs', address: bootstrap, batch: 500, underWay: 2 },
        { client: '@platformatic/kafka', address: bootstrap, batch: 500, underWay: 2 },
      ],
      async place() {
        const topic = `bench-${randomUUID()}`;
        const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin();
        await admin.connect();
        await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true });
        await admin.disconnect();
        return { destination: topic, to: { topic } };
      },
    })),

  // Its default lets 20 messages be under way at once.
  mqtt: () =>
    described(
      'mqtt',
      startMosquitto({ settings: ['max_inflight_messages 1000', 'set_tcp_nodelay true'] }),
      ({ url }) => ({
        config: { mqtt: { url } },
        raw: [{ client: 'mqtt.js', address: url, batch: 1, underWay: 256 }],
        async place() {
          const topic = `bench/${randomUUID()}`;
          return { destination: topic, to: { topic } };
        },
      }),
    ),

  nats: () =>
    described('nats', startNats(), ({ url }) => ({
      config: { nats: { servers: [url] } },
      raw: [{ client: 'nats.js', address: url, batch: 128, underWay: 4 }],
      async place() {
        const stream = `BENCH${randomUUID().replaceAll('-', '')}`;
        const subject = `${stream}.all`;
        await using wire = await NatsWire.connect({ url });
        const config = { name: stream, subjects: [subject], storage: 'file', retention: 'limits' };
        await wire.jetStream(`STREAM.CREATE.${stream}`, config);
        return { destination: subject, to: { subject } };
      },
    })),

  pubsub: () =>
    described('pubsub', startPubSub(), ({ endpoint }) => ({
      config: { pubsub: { projectId: PUBSUB_PROJECT, endpoint: `http://${endpoint}` } },
      raw: [{ client: '@google-cloud/pubsub', address: endpoint, batch: 1_000, underWay: 4 }],
      async place() {
        const topic = `bench-${randomUUID()}`;
        const clientOptions = { universeDomain: 'googleapis.com' };
        const sdk = new PubSub({
          projectId: PUBSUB_PROJECT,
          apiEndpoint: endpoint,
          emulatorMode: true,
          clientOptions,
        });
        await sdk.createTopic(topic);
        await sdk.close();
        return { destination: topic, to: { topic } };
      },
    })),
};

export function startBroker(name: BrokerName): Promise<Broker> {
  return START[name]();
}
