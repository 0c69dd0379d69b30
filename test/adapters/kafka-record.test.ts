import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitsAlone, type KafkaRecord, recordBatches, toRecord } from '../../adapters/kafka-record.ts';
import { carrierOf, requestBody, sendCarriers } from '../../adapters/kafka-request.ts';
import { type Message, STRUCTURED_CONTENT_TYPE } from '../../src/adapter.ts';
import { kafkaHeaders } from '../bench/raw/kafka-headers.ts';
import { message } from '../contract/message.ts';

const require = createRequire(import.meta.url);
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0');
const Record = require('kafkajs/src/protocol/recordBatch/record/v0');
const produce = require('kafkajs/src/protocol/requests/produce/v3/request');

type Mode = 'binary' | 'structured';

/** A message as a user of kafkajs would hand it over. */
function plain({ message, value, key }: KafkaRecord, mode: Mode) {
  const headers =
    mode === 'binary' ? Object.fromEntries(kafkaHeaders(message)) : { 'content-type': STRUCTURED_CONTENT_TYPE };
  return { key, value: Buffer.from(value), headers };
}

/** The bytes that kafkajs makes of a batch. */
async function batchBytes(batch: readonly KafkaRecord[], mode: Mode): Promise<number> {
  const records = batch.map((one, offsetDelta) => Record({ ...plain(one, mode), offsetDelta }));
  return (await RecordBatch({ records })).size();
}

const unit = fc.integer({ min: 0x20, max: 0xd7ff }).map((code) => String.fromCodePoint(code));
const anyMessage = fc
  .record({
    key: fc.string({ unit }),
    reason: fc.string({ unit, maxLength: 300 }),
    data: fc.string({ maxLength: 20_000, size: 'max' }),
  })
  .map(({ key, reason, data }) => message({ destination: 'any', key, data, attributes: { reason } }));
const mode = fc.constantFrom('binary', 'structured');
const recordsOf = (messages: readonly Message[], mode: Mode) => messages.map((one) => toRecord(one, mode));

test('no batch is over the limit of its topic, and no record is left out or changes its place', async () => {
  const limit = 30_000;
  await fc.assert(
    fc.asyncProperty(fc.array(anyMessage, { maxLength: 12 }), mode, async (messages, mode) => {
      const fitting = recordsOf(messages, mode).filter((one) => fitsAlone(one, limit));
      const batches = recordBatches(fitting, limit);
      expect(batches.flat()).toEqual(fitting);
      for (const batch of batches) expect(await batchBytes(batch, mode)).toBeLessThanOrEqual(limit);
    }),
    { numRuns: 40 },
  );
});

test('a record is judged by the bytes that it takes, to within three', async () => {
  await fc.assert(
    fc.asyncProperty(anyMessage, mode, async (one, mode) => {
      const record = toRecord(one, mode);
      const bytes = await batchBytes([record], mode);
      expect(fitsAlone(record, bytes - 1)).toBe(false);
      expect(fitsAlone(record, bytes + 3)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('a request has, byte for byte, what kafkajs makes of the same records', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyMessage, { minLength: 1, maxLength: 150 }),
      mode,
      fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      async (messages, mode, partition) => {
        const records = recordsOf(messages, mode);
        const [topic, time, acks, timeout] = ['some.topic', 1_764_160_000_123, -1, 20_000];
        const timestamp = String(time);
        const theirs = await produce({
          ...{ acks, timeout, producerEpoch: 0 },
          topicData: [
            {
              topic,
              partitions: [
                { partition, firstSequence: 0, messages: records.map((one) => ({ ...plain(one, mode), timestamp })) },
              ],
            },
          ],
        }).encode();
        const ours = requestBody({ topic, partition, time, acks, timeout, records });
        expect(ours.equals(theirs.buffer)).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

describe('kafkajs, once it sends what a carrier holds', () => {
  const requestOf = (version: number) => require(`kafkajs/src/protocol/requests/produce/v${version}/request`);
  const to = { acks: -1, timeout: 20_000, producerEpoch: 0 };
  const topicData = (messages: readonly object[]) => [
    { topic: 'some.topic', partitions: [{ partition: 1, firstSequence: 0, messages }] },
  ];
  const records = recordsOf([message({ destination: 'any' }), message({ destination: 'any' })], 'binary');

  test.each([3, 4, 5, 6, 7])('writes its records, in version %i of the request', async (version) => {
    sendCarriers();
    const carrier = carrierOf(records, 1);
    const { buffer } = await requestOf(version)({ ...to, topicData: topicData([carrier]) }).encode();
    const { time } = carrier;
    expect(buffer).toEqual(requestBody({ ...to, topic: 'some.topic', partition: 1, time, records }));
  });

  test('fails where it would write a carrier itself, for that would be one empty record', async () => {
    const request = produce({ ...to, topicData: topicData([{ ...carrierOf(records, 1), timestamp: '0' }]) });
    await expect(request.encode()).rejects.toThrow(TypeError);
  });

  test('refuses a Kafka that is too old for it, and never sends less than there is', () => {
    sendCarriers();
    expect(() => requestOf(2)({ ...to, topicData: topicData([carrierOf(records, 1)]) })).toThrow('older than 0.11');
  });

  test('leaves what anybody else sends as it was', async () => {
    const messages = records.map((one) => ({ ...plain(one, 'binary'), timestamp: '1764160000123' }));
    const before = await produce({ ...to, topicData: topicData(messages) }).encode();
    sendCarriers();
    const after = await requestOf(3)({ ...to, topicData: topicData(messages) }).encode();
    expect(after.buffer).toEqual(before.buffer);
  });
});
