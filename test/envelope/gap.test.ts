import { CloudEvent } from 'cloudevents';
import { describe, expect, test } from 'vitest';
import { type Gap, type GapCause, gapRecord } from '../../src/envelope/gap.ts';
import {
  ALL_NAMESPACES,
  parseResourceVersion,
  positionOf,
  type ResourceVersion,
  type StreamName,
} from '../../src/envelope/position.ts';
import { schemaErrors } from './schema.ts';

const now = new Date('2026-11-02T00:00:00.5Z');
const causes: GapCause[] = ['first-start', 'compacted', 'restored', 'expired-token', 'quota'];

function rv(text: string): ResourceVersion {
  const parsed = parseResourceVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no resourceVersion`);
  return parsed;
}

function gap(changed: Partial<Gap> = {}) {
  const record = gapRecord({
    cluster: 'prod',
    stream: 'web' as StreamName,
    from: rv('100'),
    to: rv('2000'),
    cause: 'compacted',
    recovered: 3,
    now,
    ...changed,
  });
  return { ...record, data: JSON.parse(Buffer.from(record.data).toString()) };
}

test('a gap is an Event of type Warning that people can read and programs can use', () => {
  const { attributes, data, kind, key } = gap();
  expect(kind).toBe('gap');
  expect(attributes).toMatchObject({
    id: 'gap.web.100.2000',
    type: 'kube-fanout.gap.v1',
    source: '/clusters/prod',
    namespace: 'web',
    reason: 'EventsGap',
    severitytext: 'WARN',
    time: '2026-11-02T00:00:00.500Z',
    subject: key,
  });
  expect(data).toMatchObject({
    type: 'Warning',
    reason: 'EventsGap',
    metadata: { namespace: 'web' },
    eventTime: '2026-11-02T00:00:00.500000Z',
    gap: { stream: 'web', from: '100', to: '2000', cause: 'compacted', recovered: 3 },
  });
  expect(data.note).toBe(
    'Nobody watched the Events of namespace web from resourceVersion 100 to 2000, and the API server no longer has that ' +
      'history: Events overwritten or deleted in between are lost. 3 revisions were recovered.',
  );
});

test('its id is the same whenever and wherever it is made', () => {
  expect(gap({ now: new Date(0), cluster: 'b' }).attributes.id).toBe(gap().attributes.id);
  expect(gap({ from: undefined }).attributes.id).toBe('gap.web.start.2000');
});

test('it stands right behind its last resourceVersion, and before the next', () => {
  const sequence = gap().attributes.sequence;
  expect([positionOf(rv('2000')), sequence, positionOf(rv('2001')), positionOf(rv('20000'))]).toEqual(
    [positionOf(rv('20000')), positionOf(rv('2001')), sequence, positionOf(rv('2000'))].toSorted(),
  );
  expect(gap().position).toBe(sequence);
});

test('the announcement of a restored history comes before everything in it', () => {
  const { position } = gap({ cause: 'restored', from: rv('2000'), to: rv('1') });
  expect(position < positionOf(rv('1'))).toBe(true);
});

describe.each(causes)('the gap of cause %s', (cause) => {
  test.each([
    ['with both ends', {}],
    ['without a beginning, of all namespaces', { from: undefined, stream: ALL_NAMESPACES, recovered: 1 }],
    ['of a replay', { again: true }],
    ['without ends', { from: undefined, to: undefined, recovered: 0 }],
  ])('%s keeps to the schema and is a CloudEvent', (_name, changed) => {
    const { attributes, data, origin } = gap({ cause, ...changed });
    expect(schemaErrors(data)).toEqual([]);
    expect(new CloudEvent({ ...attributes, origin, data }).validate()).toBe(true);
    expect(data.note).toMatch(/^[A-Zk].+\. (No|One|\d+) revisions? w(as|ere) recovered\.$/);
    expect(data.note).not.toMatch(/undefined/);
  });
});
