import { expect, it } from 'vitest';
import { parseResourceVersion, positionOf } from '../../src/envelope/position.ts';
import type { NewRecord } from '../../src/journal/record.ts';
import { ApiError, DamagedLineError, fieldsOf } from '../../src/source/api-error.ts';
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
  expect(read(...lines)).toEqual({ positions: ['018', '019'], rv: '11', end: undefined });
});

it.each([
  ['no JSON', '{"type":"ADD', 'not a line of a watch', '{"type":"ADD'],
  ['two lines in one', '{"type":"ADDED"}{"type":"ADDED"}', 'not a line of a watch', '{"type":"ADDED"}{"type":"ADDED"}'],
  ['no object', '[1]', 'not a line of a watch', '[1]'],
  ['no Event', line('ADDED', '9', 'Pod'), 'not an Event, its kind is Pod', '{"type":"ADDED","object":{"kind":"Pod"'],
  ['of no known type', line('ADDEd', '9'), 'not an Event, its type is ADDEd', '{"type":"ADDEd"'],
  ['without an order', line('ADDED', 'abc'), 'not a line of a watch', '{"type":"ADDED","object":{"kind":"Event"'],
])(
  'ends at a line that is %s, with an excerpt, and lets nothing behind it move the checkpoint',
  (_, bad, why, excerpt) => {
    const { positions, rv, end } = read(line('ADDED', '8'), bad, line('ADDED', '10'));
    expect(positions).toEqual(['018']);
    expect(rv).toBe('8');
    expect(end).toBeInstanceOf(DamagedLineError);
    expect(end?.message).toContain(why);
    expect(end?.message).toContain(`: ${excerpt}`);
  },
);

it('keeps excerpts short and without control characters', () => {
  const { message } = read(`\u001b[31m${'é'.repeat(1000)}`).end ?? new Error();
  expect(message).toContain('é');
  expect(message).not.toContain('\u001b');
  expect(message.length).toBeLessThan(260);
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

it('knows the newest resourceVersion even when lines come out of order', () => {
  expect(read(line('ADDED', '100'), line('ADDED', '99')).rv).toBe('100');
});
