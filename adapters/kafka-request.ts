/**
 * The body of a produce request, written at once into one buffer.
 *
 * kafkajs writes each header of each record into a buffer of 512 bytes of its own, and copies a batch six times on its
 * way out: with the twenty headers of a CloudEvent that is two thirds of what it costs. So the request is written here,
 * and kafkajs does the rest: connections, logins, versions, metadata, answers, errors. It carries a batch as one message,
 * which it has to take for one.
 *
 * Source: https://kafka.apache.org/protocol#The_Messages_Produce, versions 3 to 8, and
 * https://kafka.apache.org/documentation/#recordbatch, version 2.
 */
import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { crc32c } from './kafka-crc32c.ts';
import type { KafkaRecord } from './kafka-record.ts';
import { varintSize, writeVarint } from './kafka-varint.ts';

/** What kafkajs takes for one message: a whole record batch on its way through it. */
export interface Carrier {
  readonly value: Buffer;
  readonly partition: number;
  /** Milliseconds since 1970, of all its records. */
  readonly time: number;
  readonly records: readonly KafkaRecord[];
}

export function carrierOf(records: readonly KafkaRecord[], partition: number): Carrier {
  return { value: UNWRITABLE, partition, time: Date.now(), records };
}

/** If kafkajs ever came to write a carrier itself, that has to fail, and not to be one empty record for a whole batch. */
const UNWRITABLE: Buffer = Object.create(Buffer.prototype);

/** What kafkajs makes a request of. */
interface Produce {
  readonly acks: number;
  readonly timeout: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly messages: readonly object[] }[];
  }[];
}

interface Request {
  encode(): Promise<Encoded>;
}

/** As much of kafkajs' encoder as it asks of what it is given. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
}

type RequestOf = (produce: Produce) => Request;

/** Of the request, as kafkajs knows it. From the third on they are alike but for their number; those before have no headers. */
const VERSIONS = [0, 1, 2, 3, 4, 5, 6, 7];
const FIRST_WITH_HEADERS = 3;

/** From now on kafkajs sends what a carrier holds; what else anybody sends with it stays as it was. */
export function sendCarriers(): void {
  const require = createRequire(import.meta.url);
  for (const version of VERSIONS) {
    const path = require.resolve(`kafkajs/src/protocol/requests/produce/v${version}/request`);
    const original: RequestOf = require(path);
    const cached = require.cache[path];
    if (cached === undefined) throw new Error('kafkajs is loaded in a way in which its requests cannot be replaced');
    if (ours.has(original)) continue;
    const replaced: RequestOf = (produce) => {
      const request = original(produce);
      const batch = carriedBy(produce);
      if (batch === undefined) return request;
      if (version < FIRST_WITH_HEADERS) throw new Error('this Kafka is older than 0.11, whose records have no headers');
      return { ...request, encode: async () => encoded(requestBody(batch)) };
    };
    ours.add(replaced);
    cached.exports = replaced;
  }
}

const ours = new WeakSet<RequestOf>();

interface Batch extends Pick<Carrier, 'partition' | 'time' | 'records'>, Pick<Produce, 'acks' | 'timeout'> {
  readonly topic: string;
}

/** Each of our requests has one topic, one partition and one carrier. */
function carriedBy({ acks, timeout, topicData }: Produce): Batch | undefined {
  const [{ topic, partitions } = { topic: '', partitions: [] }] = topicData;
  const carrier = partitions[0]?.messages[0];
  if (carrier === undefined || !isCarrier(carrier)) return undefined;
  const { partition, time, records } = carrier;
  return { acks, timeout, topic, partition, time, records };
}

function isCarrier(message: object): message is Carrier {
  return 'records' in message;
}

function encoded(buffer: Buffer): Encoded {
  return { buf: buffer, buffer, size: () => buffer.length };
}

const NO_PRODUCER = -1n;

export function requestBody({ acks, timeout, topic, partition, time, records }: Batch): Buffer {
  const topicBytes = Buffer.from(topic);
  const bodies = records.map(bodyBytes);
  const size = bodies.reduce((sum, bytes) => sum + varintSize(bytes) + bytes, BATCH_BYTES);
  const into = Buffer.allocUnsafe(2 + 2 + 4 + 4 + 2 + topicBytes.length + 4 + 4 + 4 + size);
  let at = into.writeInt16BE(-1); // no transaction
  at = into.writeInt16BE(acks, at);
  at = into.writeInt32BE(timeout, at);
  at = into.writeInt32BE(1, at); // topics
  at = into.writeInt16BE(topicBytes.length, at);
  at += topicBytes.copy(into, at);
  at = into.writeInt32BE(1, at); // partitions
  at = into.writeInt32BE(partition, at);
  at = into.writeInt32BE(size, at);
  at = into.writeBigInt64BE(0n, at); // base offset
  at = into.writeInt32BE(size - 12, at); // the length of what follows
  at = into.writeInt32BE(0, at); // leader epoch
  at = into.writeInt8(2, at); // the version of the batch
  const sumAt = at;
  at = into.writeInt16BE(0, at + 4); // attributes: not compressed
  at = into.writeInt32BE(records.length - 1, at); // last offset
  at = into.writeBigInt64BE(BigInt(time), at);
  at = into.writeBigInt64BE(BigInt(time), at);
  at = into.writeBigInt64BE(NO_PRODUCER, at);
  at = into.writeInt16BE(0, at); // producer epoch
  at = into.writeInt32BE(0, at); // sequence
  at = into.writeInt32BE(records.length, at);
  records.forEach((record, offset) => {
    at = writeRecord(into, at, { record, offset, body: bodies[offset] ?? 0 });
  });
  into.writeUInt32BE(crc32c(into.subarray(sumAt + 4)), sumAt);
  return into;
}

/** Of a record batch without its records. */
const BATCH_BYTES = 61;

/** Of a record behind its length. */
function bodyBytes({ key, value, headers }: KafkaRecord, offset: number): number {
  const attributesAndTime = 1 + 1;
  const texts = varintSize(key.length) + key.length + varintSize(value.length) + value.length;
  return attributesAndTime + varintSize(offset) + texts + headers.length;
}

interface Place {
  readonly record: KafkaRecord;
  /** Within the batch. */
  readonly offset: number;
  readonly body: number;
}

function writeRecord(into: Buffer, start: number, { record: { key, value, headers }, offset, body }: Place): number {
  let at = writeVarint(into, start, body);
  into[at++] = 0; // attributes
  into[at++] = 0; // as late as the batch
  at = writeVarint(into, at, offset);
  at = writeVarint(into, at, key.length);
  into.set(key, at);
  at = writeVarint(into, at + key.length, value.length);
  into.set(value, at);
  into.set(headers, at + value.length);
  return at + value.length + headers.length;
}
