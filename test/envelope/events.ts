/** Events as an API server stores and sends them, and arbitrary ones, for the tests. */
import fc from 'fast-check';

/** What the API server stores, in its events.k8s.io/v1 words; both shapes below are made of it. */
export interface StoredEvent {
  metadata: Record<string, unknown> & { uid: string; resourceVersion: string };
  eventTime: string | null;
  series?: { count: number; lastObservedTime: string | null };
  reportingController: string;
  reportingInstance: string;
  action: string;
  reason: string;
  regarding: Record<string, string>;
  related?: Record<string, string>;
  note: string;
  type: string;
  deprecatedSource: { component?: string; host?: string };
  deprecatedFirstTimestamp: string | null;
  deprecatedLastTimestamp: string | null;
  deprecatedCount: number;
}

/** As GET /api/v1/events gives it: some empty fields are sent, others left out. */
export function inCoreV1(event: StoredEvent): Record<string, unknown> {
  const { regarding, note, reportingController, reportingInstance, deprecatedSource, series, ...rest } = event;
  return {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: rest.metadata,
    involvedObject: regarding,
    reason: rest.reason || undefined,
    message: note || undefined,
    source: deprecatedSource,
    firstTimestamp: rest.deprecatedFirstTimestamp,
    lastTimestamp: rest.deprecatedLastTimestamp,
    count: rest.deprecatedCount || undefined,
    type: rest.type || undefined,
    eventTime: rest.eventTime,
    series: series && { count: series.count || undefined, lastObservedTime: series.lastObservedTime },
    action: rest.action || undefined,
    related: rest.related,
    reportingComponent: reportingController,
    reportingInstance,
  };
}

/** As GET /apis/events.k8s.io/v1/events gives it. */
export function inEventsV1(event: StoredEvent): Record<string, unknown> {
  const optional = [
    'reportingController',
    'reportingInstance',
    'action',
    'reason',
    'note',
    'type',
    'deprecatedCount',
  ] as const;
  const left = optional.filter((name) => !event[name]).map((name) => [name, undefined]);
  return { kind: 'Event', apiVersion: 'events.k8s.io/v1', ...event, ...Object.fromEntries(left) };
}

/** A kubelet's Event about a Pod that crashes, repeated; `changed` replaces whole fields. */
export function backOff(changed: Partial<StoredEvent> = {}): StoredEvent {
  return {
    metadata: {
      name: 'api-7f9c.17f2a3b4c5d6e7f8',
      namespace: 'web',
      uid: '0b5e28ba-2fa1-41d2-883f-0016d3cca428',
      resourceVersion: '41234',
      creationTimestamp: '2026-11-01T10:00:00Z',
      managedFields: [{ manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:count': {} } }],
    },
    eventTime: null,
    reportingController: 'kubelet',
    reportingInstance: 'worker-1',
    action: '',
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
    ...changed,
  };
}

/** Text that any pod may write: control characters, noncharacters, lone surrogates, separators, wildcards, and long. */
export const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '/',
    'a/b',
    '..',
    'a#b',
    '%2F',
    '\u0001',
    'a\nb',
    '\u007f',
    '\ufdd0',
    '\ufffe',
    '\ud800',
    '\udc00x',
  ),
  fc.constantFrom('é', '😀', 'x', '\u0000').map((each) => each.repeat(700)),
);

const uid = fc.uuid();
const resourceVersion = fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }).map(String);
const second = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2030-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => `${date.toISOString().slice(0, 19)}Z`);
const micro = fc
  .tuple(second, fc.nat(999_999))
  .map(([time, n]) => `${time.slice(0, 19)}.${String(n).padStart(6, '0')}Z`);
const reference = fc.dictionary(
  fc.constantFrom('apiVersion', 'kind', 'namespace', 'name', 'uid', 'resourceVersion', 'fieldPath'),
  hostileText.filter((text) => text !== ''),
);

/** Whatever the API server may have stored: right types, hostile contents. */
export const storedEvent: fc.Arbitrary<StoredEvent> = fc.record(
  {
    metadata: fc.record(
      {
        name: hostileText,
        namespace: hostileText,
        uid,
        resourceVersion,
        creationTimestamp: second,
        labels: fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
        annotations: fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
        managedFields: fc.constant([{ manager: 'kubelet' }]),
      },
      { requiredKeys: ['uid', 'resourceVersion', 'creationTimestamp'] },
    ),
    eventTime: fc.option(micro),
    series: fc.record({ count: fc.nat(1000), lastObservedTime: fc.option(micro) }),
    reportingController: hostileText,
    reportingInstance: hostileText,
    action: hostileText,
    reason: hostileText,
    regarding: reference,
    related: reference,
    note: hostileText,
    type: fc.oneof(fc.constantFrom('Normal', 'Warning', ''), hostileText),
    deprecatedSource: fc.record({ component: hostileText, host: hostileText }, { requiredKeys: [] }),
    deprecatedFirstTimestamp: fc.option(second),
    deprecatedLastTimestamp: fc.option(second),
    deprecatedCount: fc.nat(1000),
  },
  {
    requiredKeys: [
      'metadata',
      'eventTime',
      'reportingController',
      'reportingInstance',
      'action',
      'reason',
      'regarding',
      'note',
      'type',
      'deprecatedSource',
      'deprecatedFirstTimestamp',
      'deprecatedLastTimestamp',
      'deprecatedCount',
    ],
  },
);

/** JSON that claims to be an Event: any field may be missing, or hold any JSON at all. */
export const hostileEvent: fc.Arbitrary<unknown> = storedEvent.chain((event) => {
  const whole = fc.constantFrom(inCoreV1(event), inEventsV1(event));
  const paths = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.option(fc.jsonValue({ maxDepth: 3 }), { nil: undefined })), {
    maxLength: 6,
  });
  return fc.tuple(whole, paths).map(([object, changes]) => {
    const changed = structuredClone(object);
    for (const [first, second, value] of changes) damage(changed, first, second, value);
    return changed;
  });
});

function damage(object: Record<string, unknown>, first: number, second: number, value: unknown): void {
  const names = Object.keys(object);
  const name = names[first % names.length] ?? 'reason';
  const inner = object[name];
  if (typeof inner === 'object' && inner !== null && !Array.isArray(inner) && second % 2 === 0) {
    damage(inner as Record<string, unknown>, second, 1, value);
  } else {
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
  }
}
