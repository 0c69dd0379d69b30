import { expect, it } from 'vitest';
import { parseResourceVersion, positionOf } from '../../src/envelope/position.ts';
import type { NewRecord } from '../../src/journal/record.ts';
import { ApiError, fieldsOf, UnorderedError } from '../../src/source/api-error.ts';
import { type Envelope, readWatchLines } from '../../src/source/watch-lines.ts';

const envelope: Envelope = (object) => {
  const { kind, metadata } = fieldsOf(object);
  const rv = parseResourceVersion(fieldsOf(metadata).resourceVersion);
  if (kind !== 'Event' || rv === undefined) return { refused: `its kind is ${kind}` };
  const attributes = {} as NewRecord['attributes'];
  return { position: positionOf(rv), kind: 'event', key: 'k', origin: 'live', attributes, data: new Uint8Array() };
};

function read(...lines: readonly unknown[]) {
  const texts = lines.map((line) => Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)));
  const { records, ...rest } = readWatchLines(texts, envelope);
  return { ...rest, positions: records.map(({ position }) => position) };
}

function line(type: string, resourceVersion: unknown, kind = 'Event') {
  return { type, object: { kind, metadata: { resourceVersion } } };
}

it('delivers ADDED and MODIFIED, and lets DELETED and BOOKMARK move the checkpoint', () => {
  const lines = [line('ADDED', '8'), line('MODIFIED', '9'), line('DELETED', '10'), line('BOOKMARK', '11')];
  expect(read(...lines)).toEqual({ positions: ['018', '019'], rv: '11', skipped: [], end: undefined });
});

it('skips what is no JSON, no line of a watch, or no Event, with an excerpt, and goes on', () => {
  const { positions, rv, skipped, end } = read('{"type":"ADD', '[1]', line('ADDED', '7', 'Pod'), line('ADDED', '9'));
  expect(positions).toEqual(['019']);
  expect(rv).toBe('9');
  expect(end).toBeUndefined();
  expect(skipped).toEqual([
    'not a line of a watch: {"type":"ADD',
    'not a line of a watch: [1]',
    'not an Event, its kind is Pod: {"type":"ADDED","object":{"kind":"Pod","metadata":{"resourceVersion":"7"}}}',
  ]);
});

it('keeps excerpts short and without control characters', () => {
  const [why = ''] = read(`\u001b[31m${'é'.repeat(1000)}`).skipped;
  expect(why).not.toContain('\u001b');
  expect(why.length).toBeLessThan(160);
});

it.each([
  ['code 410', { code: 410 }, true],
  ['the reason Expired', { code: 400, reason: 'Expired' }, true],
  ['the reason Gone', { reason: 'Gone' }, true],
  ["etcd's words", { code: 500, message: 'etcdserver: mvcc: required revision has been compacted' }, true],
  ['anything else', { code: 500, reason: 'InternalError', message: 'boom' }, false],
])('ends at an ERROR line; the history has expired by %s: %o, %s', (_, status, expired) => {
  const { positions, end } = read(line('ADDED', '8'), { type: 'ERROR', object: status }, line('ADDED', '9'));
  expect(positions).toEqual(['018']);
  expect(end instanceof ApiError && end.expired).toBe(expired);
});

it('ends at a resourceVersion that is not a decimal number', () => {
  const { positions, end } = read(line('ADDED', '8'), line('ADDED', 'abc'), line('ADDED', '9'));
  expect(positions).toEqual(['018']);
  expect(end).toBeInstanceOf(UnorderedError);
  expect(end?.message).toContain('"abc"');
});

it('knows the newest resourceVersion even when lines come out of order', () => {
  expect(read(line('ADDED', '100'), line('ADDED', '99')).rv).toBe('100');
});
