import kafkajs, { type Admin } from 'kafkajs';
import { type KafkaCluster, startKafkaCluster } from '../backends/kafka-cluster.ts';
import { until } from '../backends/process.ts';
import { kafkaSubscriber } from '../main-job/subscribers.ts';
import type { Broker } from './brokers.ts';

const { Kafka, logLevel } = kafkajs;

/**
 * Three nodes. Its outage ends or freezes one after the other, and then prefers other
 * leaders for every partition; it ends when all replicas are in sync again.
 */
export async function kafkaCluster(): Promise<Broker> {
  const cluster = await startKafkaCluster();
  const admin = new Kafka({ brokers: cluster.address.bootstrap.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const moves = new Leaders(cluster, admin);
  const [program] = cluster.nodes;
  if (program === undefined) throw new Error('a cluster has nodes');
  return {
    name: 'kafka',
    program,
    subscriber: () => kafkaSubscriber(cluster.address),
    outage: moves,
    async [Symbol.asyncDispose]() {
      await admin.disconnect();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

const WAYS = ['SIGTERM', 'SIGSTOP', 'SIGKILL'] as const;

class Leaders {
  readonly #cluster: KafkaCluster;
  readonly #admin: Admin;
  #round = 0;

  constructor(cluster: KafkaCluster, admin: Admin) {
    this.#cluster = cluster;
    this.#admin = admin;
  }

  get #node() {
    return this.#cluster.nodes[this.#round % this.#cluster.nodes.length];
  }

  /** Another one each time that a node has its turn. */
  get #way() {
    const { length } = this.#cluster.nodes;
    return WAYS[(this.#round + Math.floor(this.#round / length)) % WAYS.length] ?? 'SIGKILL';
  }

  async begin(): Promise<void> {
    const way = this.#way;
    if (way === 'SIGSTOP') this.#node?.pause();
    else await this.#node?.kill(way);
  }

  async end(): Promise<void> {
    if (this.#way === 'SIGSTOP') this.#node?.resume();
    else await this.#node?.start();
    this.#round += 1;
    await until(() => this.#inSync());
    await until(() => this.#rotate());
    await until(() => this.#inSync());
  }

  async #inSync(): Promise<void> {
    const { topics } = await this.#admin.fetchTopicMetadata();
    const behind = topics.flatMap(({ partitions }) =>
      partitions.filter(({ isr, leader }) => isr.length < 3 || leader < 1),
    );
    if (behind.length > 0) throw new Error(`${behind.length} partitions are not in sync`);
  }

  /** Each partition prefers the next of its replicas, and the controller makes it the leader within a second. */
  async #rotate(): Promise<void> {
    const { topics } = await this.#admin.fetchTopicMetadata();
    await this.#admin.alterPartitionReassignments({
      topics: topics.map(({ name: topic, partitions }) => ({
        topic,
        partitionAssignment: partitions.map(({ partitionId: partition, replicas: [first = 1, ...rest] }) => ({
          partition,
          replicas: [...rest, first],
        })),
      })),
    });
  }
}
