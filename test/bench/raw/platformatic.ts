import { ProduceAcks, Producer } from '@platformatic/kafka';
import { once, type RawClient } from './client.ts';
import { kafkaHeaders } from './kafka-headers.ts';

/** @platformatic/kafka with acks=all, which is what docs/decisions/kafka-client.md weighs against kafkajs. */
export async function rawPlatformatic(bootstrap: string, topic: string): Promise<RawClient> {
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: bootstrap.split(','),
    acks: ProduceAcks.ALL,
    autocreateTopics: false,
    retries: 0,
  });
  const record = once((message) => {
    const headers = kafkaHeaders(message).map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const);
    return { topic, key: Buffer.from(message.key), value: Buffer.from(message.data), headers: new Map(headers) };
  });
  return {
    async send(batch) {
      await producer.send({ messages: batch.map(record) });
    },
    [Symbol.asyncDispose]: () => producer.close(),
  };
}
