/**
 * Records on their way between the threads and into the table: strings and numbers in one flat array and all data in
 * one buffer, so that a batch of any size is two values to clone.
 */
import type { Attributes, Origin } from '../envelope/cloud-event.ts';
import type { Position, StreamName } from '../envelope/position.ts';
import type { JournalRecord, NewRecord } from './record.ts';

export interface PackedRecords {
  readonly fields: readonly (string | number)[];
  readonly bytes: Uint8Array;
}

/** Stored records: what `PackedRecords` holds, and where each of them stands. */
export interface PackedPage extends PackedRecords {
  readonly places: readonly (string | number)[];
}

/** A record with its attributes as the JSON text that is stored. */
export interface RecordRow {
  readonly position: string;
  readonly kind: string;
  readonly key: string;
  readonly origin: string;
  readonly attributes: string;
  readonly data: Uint8Array;
}

export interface StoredRow extends RecordRow {
  readonly stream: string;
  readonly epoch: number;
  readonly appendedAt: number;
  readonly intact: boolean;
}

export function rowOf(record: NewRecord): RecordRow {
  return { ...record, attributes: JSON.stringify(record.attributes) };
}

export function packRecords(rows: readonly RecordRow[]): PackedRecords {
  const fields: (string | number)[] = [];
  let size = 0;
  for (const row of rows) size += row.data.length;
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const { position, kind, key, origin, attributes, data } of rows) {
    fields.push(position, kind, key, origin, attributes, data.length);
    bytes.set(data, offset);
    offset += data.length;
  }
  return { fields, bytes };
}

const FIELDS = 6;

export function* unpackRecords({ fields, bytes }: PackedRecords): Generator<RecordRow> {
  let offset = 0;
  for (let at = 0; at < fields.length; at += FIELDS) {
    const length = Number(fields[at + 5]);
    yield {
      position: String(fields[at]),
      kind: String(fields[at + 1]),
      key: String(fields[at + 2]),
      origin: String(fields[at + 3]),
      attributes: String(fields[at + 4]),
      data: bytes.subarray(offset, offset + length),
    };
    offset += length;
  }
}

export function packPage(rows: readonly StoredRow[]): PackedPage {
  const places: (string | number)[] = [];
  for (const { stream, epoch, appendedAt, intact } of rows) places.push(stream, epoch, appendedAt, intact ? 1 : 0);
  return { ...packRecords(rows), places };
}

const PLACES = 4;

export function unpackPage(page: PackedPage): JournalRecord[] {
  const records: JournalRecord[] = [];
  let at = 0;
  for (const row of unpackRecords(page)) {
    const [stream, epoch, appendedAt, intact] = page.places.slice(at, at + PLACES);
    const attributes = attributesOf(row.attributes);
    records.push({
      stream: stream as StreamName,
      epoch: Number(epoch),
      position: row.position as Position,
      kind: row.kind === 'gap' ? 'gap' : 'event',
      key: row.key,
      origin: originOf(row.origin),
      attributes: attributes ?? DAMAGED,
      data: row.data,
      appendedAt: Number(appendedAt),
      intact: intact === 1 && attributes !== undefined,
    });
    at += PLACES;
  }
  return records;
}

function originOf(text: string): Exclude<Origin, 'replay'> {
  return text === 'backfill' ? 'backfill' : 'live';
}

/** The checksum has vouched for the text; without it nothing is believed. */
function attributesOf(text: string): NewRecord['attributes'] | undefined {
  try {
    return JSON.parse(text) as Omit<Attributes, 'origin'>;
  } catch {
    return undefined;
  }
}

/** Stands in for attributes that cannot be read; the record is a dead letter, and is shown with these. */
const DAMAGED: NewRecord['attributes'] = {
  specversion: '1.0',
  id: 'damaged',
  source: '/damaged',
  type: 'kube-fanout.event.v1',
  subject: 'damaged',
  partitionkey: 'damaged',
  time: '1970-01-01T00:00:00Z',
  datacontenttype: 'application/json',
  dataschema: 'urn:kube-fanout:event:v1',
  sequence: '00',
  cluster: 'damaged',
  recordedtime: '1970-01-01T00:00:00Z',
};
