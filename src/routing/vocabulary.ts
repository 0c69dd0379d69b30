/**
 * The names that expressions may use: the fields of an events.k8s.io/v1 Event, as the data of every CloudEvent has them,
 * with the three that the envelope derives (count, firstTime, lastTime).
 */

export const TYPES = ['Reference', 'Series', 'Source', 'Metadata', 'Event'] as const;
export type TypeName = (typeof TYPES)[number];
/** Labels are texts by name, and any name that is missing is "". */
export type FieldType = 'string' | 'int' | 'Labels' | TypeName;

export const VOCABULARY: Readonly<Record<TypeName, Readonly<Record<string, FieldType>>>> = {
  Reference: {
    kind: 'string',
    namespace: 'string',
    name: 'string',
    uid: 'string',
    apiVersion: 'string',
    resourceVersion: 'string',
    fieldPath: 'string',
  },
  Series: { count: 'int', lastObservedTime: 'string' },
  Source: { component: 'string', host: 'string' },
  Metadata: {
    name: 'string',
    generateName: 'string',
    namespace: 'string',
    uid: 'string',
    resourceVersion: 'string',
    creationTimestamp: 'string',
    labels: 'Labels',
    annotations: 'Labels',
  },
  Event: {
    apiVersion: 'string',
    kind: 'string',
    metadata: 'Metadata',
    type: 'string',
    reason: 'string',
    action: 'string',
    note: 'string',
    regarding: 'Reference',
    related: 'Reference',
    reportingController: 'string',
    reportingInstance: 'string',
    eventTime: 'string',
    series: 'Series',
    deprecatedSource: 'Source',
    deprecatedFirstTimestamp: 'string',
    deprecatedLastTimestamp: 'string',
    deprecatedCount: 'int',
    count: 'int',
    firstTime: 'string',
    lastTime: 'string',
  },
};

/** Fields of a core/v1 Event, as `kubectl get events -o yaml` prints it, and of a CloudEvent, and what they are here. */
export const OTHER_NAMES: Readonly<Record<string, string>> = {
  message: 'note',
  involvedObject: 'regarding',
  source: 'deprecatedSource',
  reportingComponent: 'reportingController',
  firstTimestamp: 'firstTime',
  lastTimestamp: 'lastTime',
  component: 'reportingController',
  namespace: 'metadata.namespace',
  name: 'regarding.name',
  labels: 'metadata.labels',
  annotations: 'metadata.annotations',
  object: 'regarding',
  severity: 'type',
  time: 'lastTime',
};
