import { setTimeout as sleep } from 'node:timers/promises';
import { startMosquitto } from '../../backends/mosquitto.ts';
import { until } from '../../main-job/daemon-process.ts';
import { BROKERS, type BrokerName, brokerOf, owned } from '../brokers.ts';
import { alternately, compare } from '../comparison.ts';
import { splitBrokers } from '../destinations.ts';
import type { Fault } from '../fault.ts';
import { kafkaCluster } from '../kafka-leaders.ts';
import { proxiedBrokers } from '../proxies.ts';
import type { Scene } from '../scene.ts';

/** Mosquitto writes its file a little after it has acknowledged. */
const durable = { mqtt: async () => owned(await startMosquitto({ durable: true }), brokerOf.mqtt) };

const pods = Array.from({ length: 50 }, (_, i) => `web-${i}`);
const gone = 'web-49';

export const BROKER_FAULTS: readonly Fault[] = [
  {
    name: 'brokers: killed',
    // Those that keep on a disk what they have acknowledged.
    brokers: ['kafka', 'mqtt', 'nats'],
    scene: { start: durable, brokersMayLose: ['mqtt'] },
    async inject(scene) {
      for (let kill = 0; kill < (scene.quick ? 2 : 10); kill += 1) {
        await scene.written(scene.random.between(100, 600));
        await Promise.all(scene.brokers.map(({ program }) => program.kill()));
        await sleep(scene.random.between(0, 2_000));
        await Promise.all(scene.brokers.map(({ program }) => program.start()));
      }
      await scene.written(300);
    },
  },
  {
    name: 'brokers: frozen',
    brokers: BROKERS,
    async inject(scene) {
      // Shorter than the deadline of a publish, and longer.
      for (const ms of scene.quick ? [10_000] : [10_000, 60_000, 10_000, 60_000, 300_000]) {
        await scene.written(300);
        for (const { program } of scene.brokers) program.pause();
        await sleep(ms);
        for (const { program } of scene.brokers) program.resume();
      }
      await scene.written(300);
    },
  },
  {
    name: 'brokers: connections cut',
    brokers: BROKERS,
    scene: { start: proxiedBrokers((proxy) => proxy.cut()) },
    async inject(scene) {
      for (let cut = 0; cut < (scene.quick ? 3 : 100); cut += 1) {
        await scene.written(scene.random.between(10, 300));
        await begin(scene);
        await sleep(scene.random.between(0, 500));
        await end(scene);
      }
      await scene.written(300);
    },
  },
  {
    name: 'brokers: blackhole',
    brokers: BROKERS,
    scene: { start: proxiedBrokers((proxy) => proxy.swallow('upstream', 'downstream')) },
    async inject(scene) {
      if (!scene.quick) return silence(scene);
      // Shorter than the deadline: the next fault waits for that.
      await scene.written(300);
      await begin(scene);
      await sleep(10_000);
      await end(scene);
      await scene.written(300);
    },
  },
  {
    name: 'brokers: never acknowledges',
    brokers: BROKERS,
    scene: { start: proxiedBrokers((proxy) => proxy.swallow('downstream')) },
    inject: silence,
  },
  {
    name: 'brokers: a link of 20 KiB/s',
    brokers: BROKERS,
    scene: { settleMs: 600_000, start: proxiedBrokers((proxy) => proxy.slow(20)) },
    async inject(scene) {
      await scene.written(300);
      await begin(scene);
      await sleep(scene.quick ? 30_000 : 600_000);
      await end(scene);
      await scene.written(300);
    },
  },
  {
    name: 'brokers: away for a quarter of an hour',
    brokers: BROKERS,
    scene: { rate: 100, settleMs: 900_000, start: proxiedBrokers((proxy) => proxy.cut()) },
    async inject(scene) {
      await scene.written(300);
      await begin(scene);
      await sleep(scene.quick ? 20_000 : 900_000);
      await end(scene);
      await scene.written(300);
    },
  },
  {
    name: 'brokers: leaders of three Kafka nodes move',
    brokers: ['kafka'],
    scene: { start: { kafka: kafkaCluster } },
    async inject(scene) {
      const [kafka] = scene.brokers;
      for (let move = 0; move < (scene.quick ? 3 : 30); move += 1) {
        await scene.written(200);
        await kafka?.outage?.begin();
        await scene.written(200);
        await kafka?.outage?.end();
      }
      await scene.written(300);
    },
  },
  {
    name: 'brokers: one of four away',
    alone: true,
    brokers: BROKERS,
    scene: { rate: 300, settleMs: 600_000 },
    async inject(scene) {
      const away: BrokerName = scene.random.pick(['kafka', 'nats']);
      const program = scene.brokers.find(({ name }) => name === away)?.program;
      scene.notes.set(away, 'away');
      await alternately(scene, { begin: async () => program?.kill(), end: async () => program?.start() });
    },
    judge: (scene) =>
      compare(scene, ({ route }) =>
        scene.brokers.some(({ name }) => name === route && scene.notes.get(name) === 'away'),
      ),
  },
  {
    name: 'brokers: one of 50 topics missing',
    alone: true,
    brokers: ['kafka', 'nats', 'pubsub'],
    scene: { rate: 300, start: splitBrokers({ names: pods, by: 'event.regarding.name', hit: [gone], how: 'gone' }) },
    async inject(scene) {
      // What is acknowledged just before would go with the topic: the comparison begins its outages in silence.
      await alternately(scene, { begin: () => begin(scene), end: () => end(scene) });
    },
    judge: (scene) => compare(scene, ({ key }) => key.endsWith(`/${gone}`)),
  },
];

async function begin(scene: Scene): Promise<void> {
  await Promise.all(scene.brokers.map(({ outage }) => outage?.begin()));
}

async function end(scene: Scene): Promise<void> {
  await Promise.all(scene.brokers.map(({ outage }) => outage?.end()));
}

/** Every outcome has its deadline: each route says that the connection is lost, though nobody tells it so. */
async function silence(scene: Scene): Promise<void> {
  for (let time = 0; time < (scene.quick ? 1 : 10); time += 1) {
    await scene.written(300);
    const before = (await scene.log()).length;
    const began = Date.now();
    await begin(scene);
    const lost = scene.brokers.map(async ({ name }) => {
      const words = new RegExp(`"route":"${name}".*the broker is out of reach`);
      const said = async () => {
        await sleep(200);
        return words.test((await scene.log()).slice(before));
      };
      await until(`route ${name} says that the connection is lost`, said);
      scene.notes.set(name, `lost after ${((Date.now() - began) / 1_000).toFixed(1)} s`);
    });
    await Promise.all(lost);
    await end(scene);
  }
  await scene.written(300);
}
