import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fitsAlone, type KafkaRecord, recordBatches, toRecord } from '../../adapters/kafka-record.ts';
import { message } from '../contract/message.ts';

const require = createRequire(import.meta.url);
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0');
const Record = require('kafkajs/src/protocol/recordBatch/record/v0');

/** The bytes that kafkajs makes of a batch. */
async function encoded(batch: readonly KafkaRecord[]): Promise<number> {
  const records = batch.map(({ key, value, headers }, offsetDelta) => Record({ key, value, headers, offsetDelta }));
  return (await RecordBatch({ records })).size();
}

const unit = fc.integer({ min: 0x20, max: 0xd7ff }).map((code) => String.fromCodePoint(code));
const record = fc
  .record({
    key: fc.string({ unit }),
    reason: fc.string({ unit, maxLength: 300 }),
    data: fc.string({ maxLength: 20_000, size: 'max' }),
    mode: fc.constantFrom('binary' as const, 'structured' as const),
  })
  .map(({ key, reason, data, mode }) =>
    toRecord(message({ destination: 'any', key, data, attributes: { reason } }), mode),
  );

test('no batch is over the limit of its topic, and no record is left out or changes its place', async () => {
  const limit = 30_000;
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 12 }), async (records) => {
      const fitting = records.filter((one) => fitsAlone(one, limit));
      const batches = recordBatches(fitting, limit);
      expect(batches.flat()).toEqual(fitting);
      for (const batch of batches) expect(await encoded(batch)).toBeLessThanOrEqual(limit);
    }),
    { numRuns: 40 },
  );
});

test('a record is judged by the bytes that it takes, to within three', async () => {
  await fc.assert(
    fc.asyncProperty(record, async (one) => {
      const bytes = await encoded([one]);
      expect(fitsAlone(one, bytes - 1)).toBe(false);
      expect(fitsAlone(one, bytes + 3)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
