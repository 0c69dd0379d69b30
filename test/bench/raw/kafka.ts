import { Kafka, logLevel } from 'kafkajs';
import { once, type RawClient } from './client.ts';
import { kafkaHeaders } from './kafka-headers.ts';

/** kafkajs with acks=all; it sends each partition's records in their order. */
export async function rawKafka(bootstrap: string, topic: string): Promise<RawClient> {
  const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const record = once((message) => {
    const headers = Object.fromEntries(kafkaHeaders(message));
    return { key: Buffer.from(message.key), value: Buffer.from(message.data), headers };
  });
  return {
    async send(batch) {
      await producer.send({ topic, acks: -1, messages: batch.map(record) });
    },
    [Symbol.asyncDispose]: () => producer.disconnect(),
  };
}
