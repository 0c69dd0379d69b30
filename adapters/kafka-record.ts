import { Buffer } from 'node:buffer';
import { type Attributes, type Message, STRUCTURED_CONTENT_TYPE, structuredJson } from '../src/adapter.ts';
import { inBatches } from './in-order.ts';
import { varintSize, writeVarint } from './kafka-varint.ts';

/** A message as a Kafka record. */
export interface KafkaRecord {
  readonly message: Message;
  readonly key: Buffer;
  readonly value: Uint8Array;
  /** As they stand in the record: their number, and each name and value behind its length. */
  readonly headers: Buffer;
  /** What it takes of a record batch, at most. */
  readonly bytes: number;
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md, sections 3.2 and 3.3 */
export function toRecord(message: Message, mode: 'binary' | 'structured'): KafkaRecord {
  const { attributes, data } = message;
  const key = Buffer.from(message.key);
  const structured = mode === 'structured';
  const value = structured ? structuredJson(attributes, data) : data;
  const headers = structured ? STRUCTURED_HEADERS : binaryHeaders(attributes);
  return { message, key, value, headers, bytes: recordBytes(key, value, headers) };
}

/** Where headers are written before their length is known: more than all attributes of 512 bytes, and their names. */
const SCRATCH = Buffer.alloc(32 * 1024);

function binaryHeaders(attributes: Attributes): Buffer {
  let count = 0;
  let at = FIRST_HEADER;
  for (const [name, value] of Object.entries(attributes)) {
    const header = headerNames.get(name) ?? headerName(name);
    SCRATCH.set(header, at);
    at = writeText(at + header.length, String(value));
    count += 1;
  }
  return withCount(count, at);
}

/** Behind the number of headers, which is less than 64. */
const FIRST_HEADER = 1;

function withCount(count: number, end: number): Buffer {
  writeVarint(SCRATCH, 0, count);
  return Buffer.from(SCRATCH.subarray(0, end));
}

/** By attribute: they are a few, and always the same. */
const headerNames = new Map<string, Buffer>();

function headerName(attribute: string): Buffer {
  const name = attribute === 'datacontenttype' ? 'content-type' : `ce_${attribute}`;
  const bytes = Buffer.from(name);
  const length = Buffer.alloc(varintSize(bytes.length));
  writeVarint(length, 0, bytes.length);
  const header = Buffer.concat([length, bytes]);
  headerNames.set(attribute, header);
  return header;
}

/** Almost every text has a length of one byte: so it is written behind that, and only a longer one once more. */
function writeText(at: number, text: string): number {
  const length = SCRATCH.write(text, at + 1);
  const size = varintSize(length);
  if (size > 1) SCRATCH.write(text, at + size);
  return writeVarint(SCRATCH, at, length) + length;
}

const STRUCTURED_HEADERS = structuredHeaders();

function structuredHeaders(): Buffer {
  const name = headerName('datacontenttype');
  SCRATCH.set(name, FIRST_HEADER);
  return withCount(1, writeText(FIRST_HEADER + name.length, STRUCTURED_CONTENT_TYPE));
}

/** What the header of a record batch takes; `max.message.bytes` is a limit on the batch, header included. */
const BATCH_HEADER_BYTES = 61;

/** The bytes of a record within a batch whose records all have one time, at most: its place in it may save two. */
function recordBytes(key: Uint8Array, value: Uint8Array, headers: Uint8Array): number {
  const attributesTimeAndOffset = 1 + 1 + 3;
  const body = attributesTimeAndOffset + withLength(key.length) + withLength(value.length) + headers.length;
  return withLength(body);
}

function withLength(bytes: number): number {
  return varintSize(bytes) + bytes;
}

export function fitsAlone(record: KafkaRecord, maxBytes: number): boolean {
  return BATCH_HEADER_BYTES + record.bytes <= maxBytes;
}

/** The records in their order, in record batches that the broker takes. Each record must fit alone. */
export function recordBatches(records: readonly KafkaRecord[], maxBytes: number): KafkaRecord[][] {
  return inBatches(records, { bytes: maxBytes - BATCH_HEADER_BYTES });
}
