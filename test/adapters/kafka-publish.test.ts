import { Kafka, logLevel, type ProducerRecord, type RecordMetadata } from 'kafkajs';
import { expect, test } from 'vitest';
import { KafkaAdapter } from '../../adapters/kafka-publish.ts';
import { ConnectionLost } from '../../src/adapter.ts';
import { message } from '../contract/message.ts';

/** An adapter whose kafkajs answers a send with `answer` and sends nothing: what a broker cannot be made to do. */
function answering(answer: (record: ProducerRecord) => RecordMetadata[]): KafkaAdapter {
  const kafka = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING });
  const admin = Object.assign(kafka.admin(), {
    fetchTopicMetadata: async () => ({ topics: [{ name: 'events', partitions: [{}] }] }),
    describeConfigs: async () => ({ resources: [], throttleTime: 0 }),
  });
  const producer = Object.assign(kafka.producer(), { send: async (record: ProducerRecord) => answer(record) });
  return new KafkaAdapter({ admin, producer, connect: async () => {}, close: async () => {} }, 'binary');
}

const never = new AbortController().signal;
const publish = (adapter: KafkaAdapter) => adapter.publish([message({ destination: 'events' })], never);

test('what is missing in the answer to a send is never delivered', async () => {
  await expect(publish(answering(() => []))).rejects.toBeInstanceOf(ConnectionLost);
  const other = answering(({ topic }) => [{ topicName: topic, partition: 7, errorCode: 0, baseOffset: '3' }]);
  await expect(publish(other)).rejects.toBeInstanceOf(ConnectionLost);
  const refused = answering(({ topic }) => [{ topicName: topic, partition: 0, errorCode: 6, baseOffset: '-1' }]);
  await expect(publish(refused)).rejects.toBeInstanceOf(ConnectionLost);
});

test('what is in the answer is delivered, at the offset that the broker says', async () => {
  const answered = answering(({ topic }) => [
    { topicName: topic, partition: 0, errorCode: 0, baseOffset: '9007199254740993' },
  ]);
  expect(await publish(answered)).toEqual([
    { kind: 'delivered', receipt: { topic: 'events', partition: 0, offset: '9007199254740993' } },
  ]);
});

test('a request without an answer may still be on its way: it is not sent again behind itself', async () => {
  const silent = answering(() => {
    throw Object.assign(new Error('Request Produce timed out'), { name: 'KafkaJSRequestTimeoutError' });
  });
  await expect(publish(silent)).rejects.toBeInstanceOf(ConnectionLost);
});
