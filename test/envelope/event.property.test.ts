import { CloudEvent, HTTP } from 'cloudevents';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Attributes, structuredJson } from '../../src/envelope/cloud-event.ts';
import { type EnvelopeContext, envelopeOf } from '../../src/envelope/event.ts';
import type { NewRecord } from '../../src/journal/record.ts';
import { backOff, hostileEvent, hostileText, inCoreV1, inEventsV1, storedEvent } from './events.ts';
import { schemaErrors } from './schema.ts';

const context: EnvelopeContext = { cluster: 'prod', origin: 'live', now: new Date('2026-11-02T00:00:00Z') };
const runs = { numRuns: 200 };
const utf8 = new TextDecoder('utf-8', { fatal: true });

function recordFor(object: unknown, of: EnvelopeContext = context): NewRecord {
  const record = envelopeOf(object, of);
  if ('refused' in record) throw new Error(`refused: ${record.refused}`);
  return record;
}

function dataOf(record: NewRecord): unknown {
  return JSON.parse(utf8.decode(record.data));
}

test('anything at all is either made into a record or refused in words', () => {
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true }), hostileEvent), (object) => {
      const result = envelopeOf(object, context);
      expect('refused' in result ? result.refused : result.attributes.id).toMatch(/./);
    }),
    runs,
  );
});

test('an Event of the right types is never refused, whatever it says', () => {
  fc.assert(
    fc.property(storedEvent, (event) => {
      recordFor(inCoreV1(event));
    }),
    runs,
  );
});

test('the data always keeps to its schema, and says nothing that the schema does not describe', () => {
  fc.assert(
    fc.property(hostileEvent, (object) => {
      const record = envelopeOf(object, context);
      if (!('refused' in record)) expect(schemaErrors(dataOf(record))).toEqual([]);
    }),
    runs,
  );
});

test('the CloudEvents SDK accepts every event, in attributes and in structured mode, and reads back the same', () => {
  fc.assert(
    fc.property(hostileEvent, (object) => {
      const record = envelopeOf(object, context);
      if ('refused' in record) return;
      const attributes: Attributes = { ...record.attributes, origin: record.origin };
      new CloudEvent({ ...attributes, data: dataOf(record) }).validate();
      const body = utf8.decode(structuredJson(attributes, record.data));
      const read = HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body });
      if (Array.isArray(read)) throw new Error('one event was read as several');
      const { time, ...others } = attributes;
      expect(read).toMatchObject(others);
      expect(read.data).toEqual(dataOf(record));
      expect(Date.parse(read.time ?? '')).toBe(Date.parse(time));
    }),
    runs,
  );
});

test('every attribute is legal text of at most 512 bytes, and none is empty', () => {
  fc.assert(
    fc.property(storedEvent, (event) => {
      for (const value of Object.values(recordFor(inCoreV1(event)).attributes).map(String)) {
        expect(value).not.toMatch(/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u);
        expect(Buffer.byteLength(value)).toBeLessThanOrEqual(512);
        expect(value).not.toBe('');
      }
    }),
    runs,
  );
});

test('both shapes of one stored Event become the same record, byte for byte', () => {
  fc.assert(
    fc.property(storedEvent, (event) => {
      const [core, events] = [recordFor(inCoreV1(event)), recordFor(inEventsV1(event))];
      expect(core.attributes).toEqual(events.attributes);
      expect(utf8.decode(core.data)).toBe(utf8.decode(events.data));
    }),
    runs,
  );
});

test('id, sequence, key and data depend on nothing but the revision', () => {
  const elsewhere: EnvelopeContext = { cluster: 'other', origin: 'backfill', now: new Date('2027-01-01T00:00:00Z') };
  fc.assert(
    fc.property(storedEvent, (event) => {
      const { metadata } = event;
      const [here, there] = [recordFor(inCoreV1(event)), recordFor(inCoreV1(event), elsewhere)];
      expect(here.attributes.id).toBe(`${metadata.uid}.${metadata.resourceVersion}`);
      expect(there.attributes).toMatchObject({ id: here.attributes.id, sequence: here.attributes.sequence });
      expect(there.key).toBe(here.key);
      expect(utf8.decode(there.data)).toBe(utf8.decode(here.data));
    }),
    runs,
  );
});

test('sequences sort as the resourceVersions do', () => {
  fc.assert(
    fc.property(storedEvent, storedEvent, (one, other) => {
      const numbers = [one, other].map((event) => BigInt(event.metadata.resourceVersion));
      const sequences = [one, other].map((event) => recordFor(inCoreV1(event)).attributes.sequence);
      const [a = 0n, b = 0n] = numbers;
      const [x = '', y = ''] = sequences;
      expect(x < y).toBe(a < b);
    }),
    runs,
  );
});

test('two objects share a key only when they are the same object', () => {
  // Few characters, so that what has a meaning in a key meets itself often, and sometimes any text at all.
  const part = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '/', '%', '.', '#', '2', 'F', '\u0001', 'é'), maxLength: 4 }),
    hostileText,
  );
  const regarding = fc.record({ kind: part, apiVersion: part, namespace: part, name: part });
  // Objects that differ in one thing are where a key may forget to look.
  const change = fc.record({ kind: part, apiVersion: part, namespace: part, name: part }, { requiredKeys: [] });
  fc.assert(
    fc.property(regarding, change, (one, changed) => {
      const other = { ...one, ...changed };
      const [a, b] = [one, other].map((each) => recordFor(inCoreV1(backOff({ regarding: each }))).key);
      expect(a === b).toBe(identity(one) === identity(other));
    }),
    { numRuns: 2000 },
  );
});

/** The version is no part of an object's identity, only the group is; JSON tells the four parts apart. */
function identity({ kind, apiVersion, namespace, name }: Record<'kind' | 'apiVersion' | 'namespace' | 'name', string>) {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.lastIndexOf('/')) : '';
  return JSON.stringify([kind, group, namespace, name].map((part) => part.toWellFormed()));
}
