import { describe, expect, test } from 'vitest';
import { type EnvelopeContext, envelopeOf } from '../../src/envelope/event.ts';
import { backOff, inCoreV1, inEventsV1, type StoredEvent } from './events.ts';

const now = new Date('2026-11-02T00:00:00Z');
const context: EnvelopeContext = { cluster: 'prod-eu', origin: 'live', now };

function recordFor(object: unknown, of = context) {
  const record = envelopeOf(object, of);
  if ('refused' in record) throw new Error(`refused: ${record.refused}`);
  return { ...record, data: JSON.parse(Buffer.from(record.data).toString()) };
}

function about(regarding: Record<string, string>) {
  return recordFor(inCoreV1(backOff({ regarding })));
}

test('a repeated Event of a kubelet becomes a CloudEvent that says all about it', () => {
  expect(recordFor(inCoreV1(backOff()))).toEqual({
    position: '0541234',
    kind: 'event',
    key: 'Pod/web/api-7f9c',
    origin: 'live',
    attributes: {
      specversion: '1.0',
      id: '0b5e28ba-2fa1-41d2-883f-0016d3cca428.41234',
      source: '/clusters/prod-eu',
      type: 'kube-fanout.event.v1',
      subject: 'Pod/web/api-7f9c',
      partitionkey: 'Pod/web/api-7f9c',
      time: '2026-11-01T10:05:00Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:kube-fanout:event:v1',
      sequence: '0541234',
      cluster: 'prod-eu',
      namespace: 'web',
      kind: 'Pod',
      apiversion: 'v1',
      name: 'api-7f9c',
      reason: 'BackOff',
      severitytext: 'WARN',
      severitynumber: 13,
      recordedtime: '2026-11-02T00:00:00.000Z',
    },
    data: {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        name: 'api-7f9c.17f2a3b4c5d6e7f8',
        namespace: 'web',
        uid: '0b5e28ba-2fa1-41d2-883f-0016d3cca428',
        resourceVersion: '41234',
        creationTimestamp: '2026-11-01T10:00:00Z',
      },
      eventTime: '2026-11-01T10:00:00.000000Z',
      reportingController: 'kubelet',
      reportingInstance: 'worker-1',
      reason: 'BackOff',
      regarding: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: 'web',
        name: 'api-7f9c',
        uid: 'a7',
        fieldPath: 'spec.containers{api}',
      },
      note: 'Back-off restarting failed container',
      type: 'Warning',
      deprecatedSource: { component: 'kubelet', host: 'worker-1' },
      deprecatedFirstTimestamp: '2026-11-01T10:00:00Z',
      deprecatedLastTimestamp: '2026-11-01T10:05:00Z',
      deprecatedCount: 7,
      count: 7,
      firstTime: '2026-11-01T10:00:00Z',
      lastTime: '2026-11-01T10:05:00Z',
    },
  });
});

describe('when it occurred', () => {
  const times: Partial<StoredEvent> = {
    series: { count: 3, lastObservedTime: '2026-11-01T05:00:00.000005Z' },
    deprecatedLastTimestamp: '2026-11-01T04:00:00Z',
    eventTime: '2026-11-01T03:00:00.000003Z',
    deprecatedFirstTimestamp: '2026-11-01T02:00:00Z',
  };
  const { series: _, ...noSeries } = times;
  test.each<[string, Partial<StoredEvent>, string]>([
    ['the last time its series was observed', times, '2026-11-01T05:00:00.000005Z'],
    ['its last timestamp', noSeries, '2026-11-01T04:00:00Z'],
    [
      'its event time, to the microsecond',
      { ...noSeries, deprecatedLastTimestamp: null },
      '2026-11-01T03:00:00.000003Z',
    ],
    [
      'its first timestamp',
      { deprecatedFirstTimestamp: '2026-11-01T02:00:00Z', deprecatedLastTimestamp: null },
      '2026-11-01T02:00:00Z',
    ],
    ['its creation', { deprecatedFirstTimestamp: null, deprecatedLastTimestamp: null }, '2026-11-01T10:00:00Z'],
    [
      'its last timestamp, where its series has no time',
      { ...times, series: { count: 3, lastObservedTime: null } },
      '2026-11-01T04:00:00Z',
    ],
  ])('is %s', (_name, changed, time) => {
    const { attributes, data } = recordFor(inCoreV1(backOff(changed)));
    expect(attributes.time).toBe(time);
    expect(data.lastTime).toBe(time);
  });

  test('is when it was read, if no time in it is one', () => {
    const { metadata } = backOff();
    const nothing = { deprecatedFirstTimestamp: '2026-02-30T00:00:00Z', deprecatedLastTimestamp: 'yesterday' };
    const event = backOff({ ...nothing, metadata: { ...metadata, creationTimestamp: '2026-11-01' } });
    expect(recordFor(inCoreV1(event)).attributes.time).toBe(now.toISOString());
  });
});

describe('how often it has occurred', () => {
  test.each([
    ['the count of its series', { series: { count: 9, lastObservedTime: null } }, 9],
    ['its own count, without a series', {}, 7],
    ['once, without either', { deprecatedCount: 0 }, 1],
  ])('is %s', (_name, changed, count) => {
    expect(recordFor(inCoreV1(backOff(changed))).data.count).toBe(count);
  });
});

describe('what every decoder needs', () => {
  test('the event time is a MicroTime, which Go demands, and never null, which Python refuses', () => {
    expect(recordFor(inCoreV1(backOff())).data.eventTime).toBe('2026-11-01T10:00:00.000000Z');
    const short = backOff({ eventTime: '2026-11-01T10:00:00.5+02:00' });
    expect(recordFor(inEventsV1(short)).data.eventTime).toBe('2026-11-01T10:00:00.500000+02:00');
    const exact = backOff({ eventTime: '2026-11-01T10:00:00.123456789Z' });
    expect(recordFor(inEventsV1(exact)).data.eventTime).toBe('2026-11-01T10:00:00.123456Z');
  });

  test('a value of another type than the API declares counts as absent', () => {
    const wrong = { ...inCoreV1(backOff()), message: ['x'], count: '7', type: { a: 1 }, action: 7, related: 'Pod' };
    const { data } = recordFor({ ...wrong, involvedObject: { kind: 7, name: ['x'], namespace: 'web' } });
    expect(data.regarding).toEqual({ namespace: 'web' });
    for (const name of ['note', 'deprecatedCount', 'type', 'action', 'related']) expect(data).not.toHaveProperty(name);
  });

  test('a label named __proto__ is a label', () => {
    const event = JSON.stringify(inCoreV1(backOff())).replace('"namespace":"web"', '"labels":{"__proto__":"x","n":5}');
    expect(JSON.stringify(recordFor(JSON.parse(event)).data.metadata.labels)).toBe('{"__proto__":"x"}');
  });

  test('an owner without all of its four required fields is left out', () => {
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'u', controller: true };
    const metadata = { ...backOff().metadata, ownerReferences: [owner, { kind: 'Pod' }, 'x'] };
    expect(recordFor(inCoreV1(backOff({ metadata }))).data.metadata.ownerReferences).toEqual([owner]);
  });
});

describe('the object key', () => {
  test.each([
    ['a Pod', { apiVersion: 'v1', kind: 'Pod', namespace: 'web', name: 'a' }, 'Pod/web/a'],
    [
      'a Deployment',
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'web', name: 'a' },
      'Deployment.apps/web/a',
    ],
    ['a Node, which has no namespace', { apiVersion: 'v1', kind: 'Node', name: 'worker-1' }, 'Node//worker-1'],
    ['an object without an apiVersion', { kind: 'Node', name: 'worker-1' }, 'Node//worker-1'],
    ['nothing', {}, '//'],
    ['a name that forges two parts', { kind: 'Pod', name: 'web/a' }, 'Pod//web%2Fa'],
    [
      'a kind that forges a group',
      { kind: 'Service.serving.knative.dev', namespace: 'w', name: 'a' },
      'Service%2Eserving%2Eknative%2Edev/w/a',
    ],
    ['a name that forges an escape', { kind: 'Pod', name: 'web%2Fa' }, 'Pod//web%252Fa'],
    ['control characters', { kind: 'P\u0001d', name: 'a\n\u007f\ufdd0' }, 'P%01d//a%0A%7F%EF%B7%90'],
    ['other languages and spaces', { kind: 'Pod', name: 'größe 😀' }, 'Pod//größe 😀'],
  ])('of %s', (_name, regarding, key) => {
    const record = about(regarding);
    expect(record.key).toBe(key);
    expect(record.attributes).toMatchObject({ subject: key, partitionkey: key });
  });

  test('is the same for one Node under its name, its real uid, and none', () => {
    const keys = ['worker-1', '6f1c', ''].map(
      (uid) => about({ apiVersion: 'v1', kind: 'Node', name: 'worker-1', uid }).key,
    );
    expect(new Set(keys).size).toBe(1);
  });

  test('of long names stays within 512 bytes, and names that differ in the end only keep different keys', () => {
    const long = 'n'.repeat(5000);
    const keys = ['a', 'b'].map((end) => about({ kind: 'Pod', name: `${long}${end}` }).key);
    expect(new Set(keys).size).toBe(2);
    const [forged = ''] = keys;
    expect(about({ kind: 'Pod', name: forged.slice('Pod//'.length) }).key).not.toBe(forged);
    for (const key of keys) {
      expect(Buffer.byteLength(key)).toBe(512);
      expect(key).toMatch(/^Pod\/\/n+#[0-9a-f]{32}$/);
    }
  });
});

describe('attributes', () => {
  test('replace what a broker would choke on, while the data keeps it', () => {
    const { attributes, data } = recordFor(inCoreV1(backOff({ reason: 'a\u0001b\nc\u007fd\ufdd0e' })));
    expect(attributes.reason).toBe('a\ufffdb\ufffdc\ufffdd\ufffde');
    expect(data.reason).toBe('a\u0001b\nc\u007fd\ufdd0e');
  });

  test('are cut at 512 bytes, never inside a character', () => {
    const reasons = ['😀', 'é', '€', 'x'].map((character) => `x${character.repeat(2000)}`);
    const cut = reasons.map((reason) => recordFor(inCoreV1(backOff({ reason }))).attributes.reason ?? '');
    expect(cut.map((reason) => Buffer.byteLength(reason))).toEqual([509, 511, 511, 512]);
    for (const [index, reason] of cut.entries()) expect(reasons[index]?.startsWith(reason)).toBe(true);
  });

  test('say nothing where the Event says nothing', () => {
    const { attributes } = recordFor(inCoreV1(backOff({ reason: '', regarding: { kind: 'Node' }, type: 'Odd' })));
    for (const name of ['reason', 'name', 'apiversion', 'severitytext', 'severitynumber']) {
      expect(attributes).not.toHaveProperty(name);
    }
    expect(attributes.kind).toBe('Node');
  });

  test('give a normal Event the severity INFO', () => {
    const { attributes } = recordFor(inCoreV1(backOff({ type: 'Normal' })));
    expect(attributes).toMatchObject({ severitytext: 'INFO', severitynumber: 9 });
  });

  test('name the cluster in a source that is a legal URI, whatever it is called', () => {
    const { attributes } = recordFor(inCoreV1(backOff()), { ...context, cluster: 'prod eu/ü' });
    expect(attributes).toMatchObject({ source: '/clusters/prod%20eu%2F%C3%BC', cluster: 'prod eu/ü' });
  });
});

describe('the items of a list', () => {
  test.each([
    ['core/v1', inCoreV1],
    ['events.k8s.io/v1', inEventsV1],
  ])('in %s need not name their kind', (_name, shape) => {
    const { kind, apiVersion, ...item } = shape(backOff());
    expect(recordFor(item)).toEqual(recordFor(shape(backOff())));
  });
});

describe('what is refused', () => {
  const { metadata } = backOff();
  const event = inCoreV1(backOff());
  test.each<[string, unknown, RegExp]>([
    ['a text', 'Event', /not a JSON object/],
    ['a list', [], /not a JSON object/],
    ['an ERROR object', { kind: 'Status', apiVersion: 'v1', code: 410 }, /kind "Status"/],
    ['a Pod', { kind: 'Pod', apiVersion: 'v1', metadata }, /kind "Pod"/],
    ['an Event of another API', { ...event, apiVersion: 'example.com/v1' }, /apiVersion is "example.com\/v1"/],
    ['an object without a kind that is no Event', { metadata }, /apiVersion is missing/],
    ['an Event without metadata', { ...event, metadata: null }, /uid is missing/],
    ['a uid that is a number', { ...event, metadata: { ...metadata, uid: 7 } }, /uid is of type number/],
    ['a uid that no header could carry', { ...event, metadata: { ...metadata, uid: 'a\n' } }, /uid is "a\\n"/],
    ['a uid in another script', { ...event, metadata: { ...metadata, uid: 'ü' } }, /uid is "ü"/],
    ['an empty uid', { ...event, metadata: { ...metadata, uid: '' } }, /uid is ""/],
    [
      'a resourceVersion without an order',
      { ...event, metadata: { ...metadata, resourceVersion: 'abc' } },
      /"abc", not a decimal/,
    ],
    ['no resourceVersion', { ...event, metadata: { uid: 'u' } }, /resourceVersion is missing/],
  ])('%s', (_name, object, words) => {
    expect(envelopeOf(object, context)).toEqual({ refused: expect.stringMatching(words) });
  });
});

test('a note of 1.2 MB goes through whole', () => {
  const note = 'é'.repeat(600_000);
  expect(recordFor(inCoreV1(backOff({ note }))).data.note).toBe(note);
});
