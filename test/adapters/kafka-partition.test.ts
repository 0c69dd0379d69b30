import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { murmur2, partitionOf } from '../../adapters/kafka-partition.ts';

const unit = fc.integer({ min: 0x20, max: 0xd7ff }).map((code) => String.fromCodePoint(code));
const bytes = (text: string) => Buffer.from(text);

test('the hash of a key is that of the Java client', () => {
  expect(murmur2(bytes('21'))).toBe(-973932308);
  expect(murmur2(bytes('foobar'))).toBe(-790332482);
  expect(murmur2(bytes('a-little-bit-long-string'))).toBe(-985981536);
  expect(murmur2(bytes('a-little-bit-longer-string'))).toBe(-1486304829);
  expect(murmur2(bytes('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'))).toBe(-58897971);
  expect(murmur2(Buffer.from('abc'))).toBe(479470107);
});

test('a key goes to the partition that kafkajs and Java choose, and leaderless partitions count', () => {
  const theirs = Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(fc.string({ unit }), fc.integer({ min: 1, max: 50 }), (key, partitions) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionId,
        partitionErrorCode: 0,
        leader: 1,
        replicas: [1],
        isr: [1],
      }));
      const message = { key: bytes(key), value: null };
      expect(partitionOf(bytes(key), partitions)).toBe(theirs({ topic: 'any', partitionMetadata, message }));
    }),
    { numRuns: 50 },
  );
});
