import { microTime, type NewEvent } from './load.ts';

const REASONS = ['BackOff', 'Pulled', 'FailedMount', 'Unhealthy', 'Scheduled', 'FailedScheduling', 'Created'];

/** `count` plain Events about `objects` Pods in turn, of core/v1. Names are unique in every run. */
export function* ordinaryEvents(namespace: string, count: number, objects = 50): Generator<NewEvent> {
  const run = crypto.randomUUID().slice(0, 8);
  for (let i = 0; i < count; i++) {
    const pod = `web-${i % objects}`;
    const reason = REASONS[i % REASONS.length];
    const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod, uid: `uid-of-${pod}` };
    yield coreEvent(`${pod}.${run}.${i}`, {
      namespace,
      involvedObject,
      reason,
      message: `${reason} of ${pod}, number ${i}`,
    });
  }
}

/** The same for etcd itself, as the API server would have stored them: faster than it writes. `bytes` is a note's length. */
export function* storedEvents(
  namespace: string,
  count: number,
  bytes = 0,
): Generator<readonly [key: string, value: string]> {
  const creationTimestamp = new Date().toISOString().replace(/\.\d+Z/, 'Z');
  for (const event of ordinaryEvents(namespace, count)) {
    const metadata = { ...event.metadata, uid: crypto.randomUUID(), creationTimestamp };
    const message = String(event.message).padEnd(bytes, '. ');
    yield [`/registry/events/${namespace}/${event.metadata.name}`, JSON.stringify({ ...event, metadata, message })];
  }
}

/** Reasons that are more than a name to some broker, shell, URL or terminal. */
const HOSTILE_REASONS = [
  ...['with space', '#', '+', '/', '.', '*', '>', 'a/b', 'a#b', 'a+b', 'a.b', 'a..b', '.a', 'a.', 'a*b', 'a>b', '$SYS'],
  ...[
    'quote"quote',
    "it's",
    'per%cent',
    '%2F',
    'back\\slash',
    '{event.reason}',
    '$(HOME)',
    '../..',
    'a,b',
    'a;b=c',
    '',
  ],
  ...['new\nline', 'carriage\rreturn', 'tab\there', '\u0001', 'escape\u001b[31m', 'delete\u007f', 'c1\u0085'],
  ...[
    'Größe',
    '事件',
    '🚀',
    'right\u202eleft',
    'line\u2028separator',
    'non\ufffecharacter',
    'e\u0301',
    'x'.repeat(2_000),
  ],
];

const HOSTILE_NOTES = [
  'first line\nsecond line\r\n\ttabbed',
  'escapes: \\n \\u0000 "quoted" \u001b[2J \u0001',
  'long, but fit for every broker: '.padEnd(60_000, 'é '),
  'more than some brokers take: '.padEnd(1_200_000, 'x'),
];

/** Everything that some part between here and a subscriber might stumble over. All of it the API server accepts. */
export function* hostileEvents(namespace: string): Generator<NewEvent> {
  const run = crypto.randomUUID().slice(0, 8);
  const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name: 'victim', uid: 'uid-of-victim' };
  const core = (what: string, fields: object) =>
    coreEvent(`${what}.${run}`, { namespace, involvedObject: pod, ...fields });
  yield* HOSTILE_REASONS.map((reason, i) => core(`reason-${i}`, { reason }));
  yield* HOSTILE_NOTES.map((message, i) => core(`note-${i}`, { message }));
  yield core('no-uid', { involvedObject: { ...pod, uid: undefined } });
  yield core('no-object', { involvedObject: { namespace } });
  yield core('strange-kind', { involvedObject: { ...pod, kind: 'Po/d\u0001 #+' } });
  yield core('strange-name', { involvedObject: { ...pod, name: 'a/b c%25\n>.*' } });
  yield core('long-name', { involvedObject: { ...pod, name: 'n'.repeat(5_000) } });
  yield core('strange-type', { type: 'Alarm' });
  yield core('no-times', { firstTimestamp: undefined, lastTimestamp: undefined });
  const node = { kind: 'Node', name: 'node-1', uid: 'node-1' };
  yield coreEvent(`node.${run}`, { namespace: 'default', involvedObject: node });
  yield seriesEvent(`series.${run}`, { namespace, regarding: pod });
  yield seriesEvent(`elsewhere.${run}`, { namespace, regarding: { ...pod, namespace: 'kube-system' } });
  yield seriesEvent(`cluster-scoped.${run}`, { namespace: 'default', regarding: node });
}

/** An Event as client-go's tools/record writes it. */
export function coreEvent(
  name: string,
  { namespace, ...fields }: { namespace: string; [field: string]: unknown },
): NewEvent {
  const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, name },
    type: 'Warning',
    reason: 'Tested',
    message: `about ${name}`,
    source: { component: 'test', host: 'node-1' },
    reportingComponent: 'test',
    reportingInstance: 'node-1',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    ...fields,
  };
}

/** An Event as client-go's tools/events writes it, in a series and with a related object. */
function seriesEvent(
  name: string,
  { namespace, ...fields }: { namespace: string; [field: string]: unknown },
): NewEvent {
  const now = microTime(new Date().toISOString());
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace, name },
    type: 'Normal',
    reason: 'Tested',
    action: 'Testing',
    note: `about ${name}`,
    reportingController: 'kube-fanout.test/load',
    reportingInstance: 'load-1',
    eventTime: now,
    series: { count: 3, lastObservedTime: now },
    related: { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'node-1' },
    ...fields,
  };
}
