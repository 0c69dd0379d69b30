import { Buffer } from 'node:buffer';
import { attributeEntries, type Message, STRUCTURED_CONTENT_TYPE, structuredJson } from '../src/adapter.ts';
import { inBatches } from './in-order.ts';

/** A message as a Kafka record. */
export interface KafkaRecord {
  readonly message: Message;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** What it takes of a record batch, at most. */
  readonly bytes: number;
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md, sections 3.2 and 3.3 */
export function toRecord(message: Message, mode: 'binary' | 'structured'): KafkaRecord {
  const { attributes, data } = message;
  const key = Buffer.from(message.key);
  if (mode === 'structured') {
    const value = asBuffer(structuredJson(attributes, data));
    return sized({ message, key, value, headers: { 'content-type': STRUCTURED_CONTENT_TYPE } });
  }
  const headers = Object.fromEntries(attributeEntries(attributes).map(([name, value]) => [`ce_${name}`, value]));
  headers['content-type'] = attributes.datacontenttype;
  return sized({ message, key, value: asBuffer(data), headers });
}

function sized(record: Omit<KafkaRecord, 'bytes'>): KafkaRecord {
  return { ...record, bytes: recordBytes(record) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What the header of a record batch takes; `max.message.bytes` is a limit on the batch, header included. */
const BATCH_HEADER_BYTES = 61;

/** The bytes of a record within a batch whose records all have one time, at most: its place in it may save two. */
function recordBytes({ key, value, headers }: Omit<KafkaRecord, 'bytes'>): number {
  const timeAndOffsetBytes = 1 + 3;
  let bytes = 1 + timeAndOffsetBytes + withLength(key.length) + withLength(value.length) + 1;
  for (const [name, text] of Object.entries(headers)) {
    bytes += withLength(Buffer.byteLength(name)) + withLength(Buffer.byteLength(text));
  }
  return withLength(bytes);
}

/** `bytes`, and the zigzag varint of their number before them. */
function withLength(bytes: number): number {
  let varint = 1;
  for (let rest = bytes * 2; rest >= 128; rest /= 128) varint++;
  return bytes + varint;
}

export function fitsAlone(record: KafkaRecord, maxBytes: number): boolean {
  return BATCH_HEADER_BYTES + record.bytes <= maxBytes;
}

/** The records in their order, in record batches that the broker takes. Each record must fit alone. */
export function recordBatches(records: readonly KafkaRecord[], maxBytes: number): KafkaRecord[][] {
  return inBatches(records, { bytes: maxBytes - BATCH_HEADER_BYTES });
}
