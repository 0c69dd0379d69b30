import {
  type Adapter,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
} from '../src/adapter.ts';
import { ACK_TIMEOUT_MS, type KafkaClient } from './kafka-client.ts';
import {
  BEHIND_ANOTHER,
  isProtocolError,
  maybeAboutAnotherTopic,
  notStored,
  type Refusal,
  tooLargeFor,
  unwrap,
  verdictOf,
} from './kafka-outcome.ts';
import { partitionOf } from './kafka-partition.ts';
import { fitsAlone, inBatches, type KafkaRecord, toRecord } from './kafka-record.ts';
import { UnderWay } from './under-way.ts';

/** What a topic was when we looked. */
interface Topic {
  readonly partitions: number;
  readonly maxBytes: number;
  readonly seenAt: number;
}

/** Kafka's own default of max.message.bytes, for where we may not ask. */
const DEFAULT_MAX_BYTES = 1_048_588;

/** As often as kafkajs does, and Java: a topic may get more partitions. */
const LOOK_AGAIN_MS = 300_000;

/** `ConfigResourceTypes.TOPIC`, which is not worth loading kafkajs for. */
const TOPIC_RESOURCE = 2;

type Verdicts = Map<Message, Outcome>;

interface Place {
  readonly topic: Destination;
  readonly partition: number;
}

export class KafkaAdapter implements Adapter {
  readonly #client: KafkaClient;
  readonly #mode: 'binary' | 'structured';
  readonly #underWay = new UnderWay();
  readonly #topics = new Map<Destination, Topic>();
  /** kafkajs asks for all of these whenever it asks for one. */
  readonly #sentTo = new Set<Destination>();

  constructor(client: KafkaClient, mode: 'binary' | 'structured') {
    this.#client = client;
    this.#mode = mode;
  }

  async connect(signal: AbortSignal): Promise<void> {
    try {
      await this.#underWay.run(() => this.#client.connect(), signal);
    } catch (error) {
      await this.#client.close();
      throw error;
    }
  }

  check(destinations: readonly Destination[], signal: AbortSignal): Promise<readonly Finding[]> {
    return this.#underWay.run(
      () =>
        Promise.all(
          destinations.map(async (destination) => {
            const seen = await this.#look(destination);
            return { destination, problem: 'detail' in seen ? seen.detail : undefined };
          }),
        ),
      signal,
    );
  }

  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#underWay.run(async () => {
      const verdicts: Verdicts = new Map();
      const topics = Map.groupBy(batch, ({ destination }) => destination);
      await Promise.all(Array.from(topics, ([topic, messages]) => this.#publishTo(topic, messages, verdicts)));
      return batch.map((message) => verdicts.get(message) ?? notStored(message.destination, 'no answer'));
    }, signal);
  }

  async close(): Promise<void> {
    this.#underWay.end(new ConnectionLost('closed'));
    await this.#client.close();
  }

  async #publishTo(topic: Destination, messages: readonly Message[], verdicts: Verdicts): Promise<void> {
    const known = this.#topics.get(topic);
    const seen = known && Date.now() - known.seenAt < LOOK_AGAIN_MS ? known : await this.#look(topic);
    if ('kind' in seen) {
      for (const message of messages) verdicts.set(message, seen);
      return;
    }
    const records = messages.map((message) => toRecord(message, this.#mode));
    const partitions = Map.groupBy(records, ({ key }) => partitionOf(key, seen.partitions));
    await Promise.all(
      Array.from(partitions, ([partition, its]) =>
        this.#publishInto({ topic, partition }, { records: its, maxBytes: seen.maxBytes, verdicts }),
      ),
    );
  }

  /**
   * In the partition's order, batch after batch. A broker that refuses a batch of many does not say which record it
   * means: they are then sent one by one. Behind a record that was not delivered no other of its key is sent.
   */
  async #publishInto(
    place: Place,
    work: { readonly records: readonly KafkaRecord[]; readonly maxBytes: number; readonly verdicts: Verdicts },
  ): Promise<void> {
    const { records, maxBytes, verdicts } = work;
    const stopped = new Set<string>();
    const settle = (record: KafkaRecord, outcome: Outcome) => {
      verdicts.set(record.message, outcome);
      if (outcome.kind !== 'delivered') stopped.add(record.message.key);
    };
    const mayGo = (record: KafkaRecord) => {
      if (!stopped.has(record.message.key)) return true;
      verdicts.set(record.message, BEHIND_ANOTHER);
      return false;
    };
    const fitting = records.filter((record) => {
      if (!mayGo(record)) return false;
      const fits = fitsAlone(record, maxBytes);
      if (!fits) settle(record, tooLargeFor(place.topic, maxBytes));
      return fits;
    });
    const queue = inBatches(fitting, maxBytes);
    for (let planned = queue.shift(); planned; planned = queue.shift()) {
      const batch = planned.filter(mayGo);
      if (batch.length === 0) continue;
      const answer = await this.#send(place, batch);
      if (answer.kind === 'stored') {
        for (const [index, record] of batch.entries()) {
          const offset = String(answer.offset + BigInt(index));
          settle(record, { kind: 'delivered', receipt: { ...place, offset } });
        }
      } else if (answer.kind === 'reject' && batch.length > 1) {
        queue.unshift(...batch.map((record) => [record]));
      } else if (answer.kind === 'reject') {
        for (const record of batch) settle(record, answer);
      } else {
        for (const record of [batch, ...queue].flat()) settle(record, answer);
        return;
      }
    }
  }

  async #send({ topic, partition }: Place, batch: readonly KafkaRecord[]): Promise<Stored | Refusal> {
    const timestamp = String(Date.now());
    const messages = batch.map(({ key, value, headers }) => ({ key, value, headers, partition, timestamp }));
    try {
      this.#sentTo.add(topic);
      const answers = await this.#client.producer.send({ topic, acks: -1, timeout: ACK_TIMEOUT_MS, messages });
      const answer = answers.find((one) => one.topicName === topic && one.partition === partition);
      if (answer?.errorCode === 0 && answer.baseOffset !== undefined) {
        return { kind: 'stored', offset: BigInt(answer.baseOffset) };
      }
    } catch (error) {
      return this.#refusal(topic, unwrap(error));
    }
    throw new ConnectionLost(`kafkajs left partition ${partition} of topic ${topic} out of what it sent`);
  }

  /** Throws ConnectionLost where the cluster cannot be asked any more. */
  async #refusal(topic: Destination, error: unknown): Promise<Refusal> {
    if (isProtocolError(error) && !maybeAboutAnotherTopic(error)) {
      if (error.type === 'MESSAGE_TOO_LARGE') this.#topics.delete(topic);
      return verdictOf(topic, error);
    }
    // Whatever it is, the topic itself comes first: who cannot even look at it has no connection any more.
    const seen = await this.#look(topic);
    if ('kind' in seen) return seen;
    if (!isProtocolError(error)) return notStored(topic, error);
    for (const other of this.#sentTo) {
      if (other === topic || !('kind' in (await this.#look(other)))) continue;
      throw new ConnectionLost(`topic ${other} is out of reach, and kafkajs asks for it together with ${topic}`);
    }
    return error.type === 'TOPIC_AUTHORIZATION_FAILED' ? verdictOf(topic, error) : notStored(topic, error);
  }

  /** A topic's partitions and its limit, or the verdict on all that is sent to it. */
  async #look(topic: Destination): Promise<Topic | Refusal> {
    this.#topics.delete(topic);
    try {
      const { topics } = await this.#client.admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics.find(({ name }) => name === topic)?.partitions.length;
      if (!partitions) return notStored(topic, new Error('it has no partitions yet'));
      const seen = { partitions, maxBytes: await this.#maxBytes(topic), seenAt: Date.now() };
      this.#topics.set(topic, seen);
      return seen;
    } catch (error) {
      const cause = unwrap(error);
      if (isProtocolError(cause)) return verdictOf(topic, cause);
      throw new ConnectionLost(`no Kafka broker answers: ${cause instanceof Error ? cause.message : cause}`);
    }
  }

  /** Reading a topic's configuration is a permission of its own, which nobody needs for writing to it. */
  async #maxBytes(topic: Destination): Promise<number> {
    const resource = { type: TOPIC_RESOURCE, name: topic, configNames: ['max.message.bytes'] };
    try {
      const { resources } = await this.#client.admin.describeConfigs({ resources: [resource], includeSynonyms: false });
      return Number(resources[0]?.configEntries[0]?.configValue) || DEFAULT_MAX_BYTES;
    } catch {
      return DEFAULT_MAX_BYTES;
    }
  }
}

interface Stored {
  readonly kind: 'stored';
  /** Of the first record. */
  readonly offset: bigint;
}
