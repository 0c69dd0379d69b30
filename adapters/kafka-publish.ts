import {
  type Adapter,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
} from '../src/adapter.ts';
import { type Answer, type Refusal, sendInOrder, Verdicts } from './in-order.ts';
import { ACK_TIMEOUT_MS, type KafkaClient } from './kafka-client.ts';
import {
  hasTimedOut,
  isProtocolError,
  maybeAboutAnotherTopic,
  notStored,
  tooLargeFor,
  unwrap,
  verdictOf,
} from './kafka-outcome.ts';
import { partitionOf } from './kafka-partition.ts';
import { fitsAlone, type KafkaRecord, recordBatches, toRecord } from './kafka-record.ts';
import { carrierOf } from './kafka-request.ts';
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

interface Place {
  readonly topic: Destination;
  readonly partition: number;
}

interface Share {
  readonly maxBytes: number;
  readonly verdicts: Verdicts;
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
      const verdicts = new Verdicts();
      const topics = Map.groupBy(batch, ({ destination }) => destination);
      await Promise.all(Array.from(topics, ([topic, messages]) => this.#publishTo(topic, messages, verdicts)));
      return verdicts.of(batch);
    }, signal);
  }

  async close(): Promise<void> {
    this.#underWay.end(new ConnectionLost('closed'));
    await this.#client.close();
  }

  async #publishTo(topic: Destination, messages: readonly Message[], verdicts: Verdicts): Promise<void> {
    const known = this.#topics.get(topic);
    const seen = known && performance.now() - known.seenAt < LOOK_AGAIN_MS ? known : await this.#look(topic);
    if ('kind' in seen) {
      for (const message of messages) verdicts.settle(message, seen);
      return;
    }
    const records = messages.map((message) => toRecord(message, this.#mode));
    const partitions = Map.groupBy(records, ({ key }) => partitionOf(key, seen.partitions));
    await Promise.all(
      Array.from(partitions, ([partition, its]) =>
        this.#publishInto({ topic, partition }, its, { maxBytes: seen.maxBytes, verdicts }),
      ),
    );
  }

  async #publishInto(place: Place, records: readonly KafkaRecord[], { maxBytes, verdicts }: Share): Promise<void> {
    const fitting = verdicts.sound(records, (record) =>
      fitsAlone(record, maxBytes) ? undefined : tooLargeFor(place.topic, maxBytes),
    );
    const batches = recordBatches(fitting, maxBytes);
    await sendInOrder({ batches, verdicts, send: (batch) => this.#send(place, batch) });
  }

  async #send({ topic, partition }: Place, batch: readonly KafkaRecord[]): Promise<Answer> {
    const messages = [carrierOf(batch, partition)];
    try {
      this.#sentTo.add(topic);
      const answers = await this.#client.producer.send({ topic, acks: -1, timeout: ACK_TIMEOUT_MS, messages });
      const answer = answers.find((one) => one.topicName === topic && one.partition === partition);
      if (answer?.errorCode === 0 && answer.baseOffset !== undefined) {
        const first = BigInt(answer.baseOffset);
        const receipts = batch.map((_, index) => ({ topic, partition, offset: String(first + BigInt(index)) }));
        return { kind: 'stored', receipts };
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
    // It may still be on its way: to send it again behind itself, on the same connection, would double it for nothing.
    if (hasTimedOut(error))
      throw new ConnectionLost(`Kafka did not answer in time for topic ${topic}`, { cause: error });
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
      const seen = { partitions, maxBytes: await this.#maxBytes(topic), seenAt: performance.now() };
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
