/** Records and Events for the tests of routing. */
import fc from 'fast-check';
import type { Attributes } from '../../src/envelope/cloud-event.ts';
import { parseResourceVersion, positionOf, type StreamName } from '../../src/envelope/position.ts';
import type { JournalRecord, RouteName } from '../../src/journal/record.ts';
import type { RouteConfig } from '../../src/routing/compile.ts';

export const EVENT = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: 'web-1.17', namespace: 'web', uid: 'u', resourceVersion: '41', labels: { app: 'shop' } },
  type: 'Warning',
  reason: 'BackOff',
  note: 'Back-off restarting failed container: timeout',
  regarding: { kind: 'Pod', namespace: 'web', name: 'web-1', apiVersion: 'v1' },
  reportingController: 'kubelet',
  count: 7,
  firstTime: '2026-11-23T10:00:00Z',
  lastTime: '2026-11-23T10:05:00Z',
};

export function recordOf(data: unknown, more: Partial<JournalRecord> = {}): JournalRecord {
  const rv = parseResourceVersion('41');
  if (rv === undefined) throw new Error('41 is a resourceVersion');
  const attributes: Omit<Attributes, 'origin'> = {
    specversion: '1.0',
    id: 'u.41',
    source: '/clusters/test',
    type: 'kube-fanout.event.v1',
    subject: 'Pod/web/web-1',
    partitionkey: 'Pod/web/web-1',
    time: '2026-11-23T10:05:00Z',
    datacontenttype: 'application/json',
    dataschema: 'urn:kube-fanout:event:v1',
    sequence: positionOf(rv),
    cluster: 'test',
    recordedtime: '2026-11-23T10:05:01Z',
  };
  return {
    stream: '_all' as StreamName,
    epoch: 0,
    position: positionOf(rv),
    kind: 'event',
    key: 'Pod/web/web-1',
    origin: 'live',
    attributes,
    data: Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)),
    appendedAt: 0,
    intact: true,
    ...more,
  };
}

export function routeConfig(more: Partial<RouteConfig>): RouteConfig {
  return {
    name: 'r' as RouteName,
    broker: 'b',
    when: undefined,
    destination: 'k8s',
    key: undefined,
    options: {},
    gaps: true,
    maxAgeMs: undefined,
    atQuota: 'expire',
    startFrom: 'now',
    ...more,
  };
}

const text = fc.oneof(
  fc.constantFrom(
    '',
    'Pod',
    'Node',
    'BackOff',
    'Failed',
    'a/b',
    '+',
    '#',
    '>',
    '*',
    '.',
    '..',
    '$SYS',
    '%2F',
    '{x}',
    '\u0001',
    '\n',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const reference = fc.record({ kind: text, namespace: text, name: text }, { requiredKeys: [] });

/** Anything that an Event may look like, hostile texts and missing fields and all. */
export const anyEvent = fc.record(
  {
    type: fc.constantFrom('Normal', 'Warning', ''),
    reason: text,
    note: text,
    regarding: reference,
    related: reference,
    metadata: fc.record({ namespace: text, labels: fc.dictionary(text, text, { maxKeys: 2 }) }, { requiredKeys: [] }),
    count: fc.nat(),
    series: fc.record({ count: fc.nat() }),
  },
  { requiredKeys: [] },
);
