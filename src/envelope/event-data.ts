/**
 * The `data` of a CloudEvent: an events.k8s.io/v1 Event with three fields more, from either shape in which the API
 * server gives the one stored object. Only what the API declares is taken, and only in its declared type: a value of
 * another type counts as absent, so that every decoder generated from the API takes what comes out.
 */
import { type MicroTime, microTime, type Time, timeIn } from './time.ts';

interface ObjectReference {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly fieldPath?: string | undefined;
}

/** Everything but managedFields, which is the larger half of many Events and says nothing about them. */
interface Metadata {
  readonly name?: string | undefined;
  readonly generateName?: string | undefined;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly creationTimestamp?: Time | undefined;
  readonly deletionTimestamp?: Time | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly ownerReferences?: readonly object[] | undefined;
  readonly finalizers?: readonly string[] | undefined;
}

export interface EventData {
  readonly apiVersion: 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly metadata: Metadata;
  /** The API requires it but sends null for an Event of a core/v1 recorder: then `firstTime`, which means the same. */
  readonly eventTime: MicroTime;
  readonly series?: { readonly count: number; readonly lastObservedTime: MicroTime } | undefined;
  readonly reportingController?: string | undefined;
  readonly reportingInstance?: string | undefined;
  readonly action?: string | undefined;
  readonly reason?: string | undefined;
  /** The involved object: the claim of whoever wrote the Event. */
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference | undefined;
  readonly note?: string | undefined;
  readonly type?: string | undefined;
  readonly deprecatedSource?:
    | { readonly component?: string | undefined; readonly host?: string | undefined }
    | undefined;
  readonly deprecatedFirstTimestamp?: Time | undefined;
  readonly deprecatedLastTimestamp?: Time | undefined;
  readonly deprecatedCount?: number | undefined;
  /** Derived: how often it has occurred, at least 1. */
  readonly count: number;
  /** Derived: when it occurred first and last. */
  readonly firstTime: Time;
  readonly lastTime: Time;
}

export type Fields = Readonly<Record<string, unknown>>;

/** Where each shape has the fields that the other names differently. */
const CORE_V1 = {
  regarding: 'involvedObject',
  note: 'message',
  controller: 'reportingComponent',
  source: 'source',
  firstTimestamp: 'firstTimestamp',
  lastTimestamp: 'lastTimestamp',
  count: 'count',
} as const;
const EVENTS_V1 = {
  regarding: 'regarding',
  note: 'note',
  controller: 'reportingController',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
} as const;
export type Shape = typeof CORE_V1 | typeof EVENTS_V1;

/** Which shape it is in, or undefined when it is no Event. The items of a list name neither their apiVersion nor kind. */
export function shapeOf(event: Fields): Shape | undefined {
  if (event.kind !== undefined && event.kind !== 'Event') return undefined;
  if (event.apiVersion === 'v1') return CORE_V1;
  if (event.apiVersion === 'events.k8s.io/v1') return EVENTS_V1;
  if (event.apiVersion !== undefined) return undefined;
  if (event.involvedObject !== undefined) return CORE_V1;
  return event.regarding === undefined ? undefined : EVENTS_V1;
}

/** `now` is for an Event without any time, which no API server has. */
export function eventData(event: Fields, shape: Shape, now: Date): EventData {
  const metadata = metadataIn(event.metadata);
  const series = isFields(event.series) ? event.series : undefined;
  const observed = timeIn(series?.lastObservedTime);
  const eventTime = timeIn(event.eventTime);
  const deprecatedFirstTimestamp = timeIn(event[shape.firstTimestamp]);
  const deprecatedLastTimestamp = timeIn(event[shape.lastTimestamp]);
  const deprecatedCount = countIn(event[shape.count]);
  const created = metadata.creationTimestamp ?? (now.toISOString() as Time);
  const firstTime = deprecatedFirstTimestamp ?? eventTime ?? created;
  const lastTime = observed ?? deprecatedLastTimestamp ?? eventTime ?? firstTime;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata,
    eventTime: microTime(eventTime ?? firstTime),
    series: series && { count: countIn(series.count) ?? 0, lastObservedTime: microTime(lastTime) },
    reportingController: textIn(event[shape.controller]),
    reportingInstance: textIn(event.reportingInstance),
    action: textIn(event.action),
    reason: textIn(event.reason),
    regarding: referenceIn(event[shape.regarding]),
    related: isFields(event.related) ? referenceIn(event.related) : undefined,
    note: textIn(event[shape.note]),
    type: textIn(event.type),
    deprecatedSource: sourceIn(event[shape.source]),
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
    count: countIn(series?.count) ?? deprecatedCount ?? 1,
    firstTime,
    lastTime,
  };
}

function metadataIn(value: unknown): Metadata {
  const from = isFields(value) ? value : NONE;
  return {
    name: textIn(from.name),
    generateName: textIn(from.generateName),
    namespace: textIn(from.namespace),
    uid: textIn(from.uid),
    resourceVersion: textIn(from.resourceVersion),
    creationTimestamp: timeIn(from.creationTimestamp),
    deletionTimestamp: timeIn(from.deletionTimestamp),
    labels: textsByNameIn(from.labels),
    annotations: textsByNameIn(from.annotations),
    ownerReferences: ownersIn(from.ownerReferences),
    finalizers: Array.isArray(from.finalizers) ? from.finalizers.filter((each) => typeof each === 'string') : undefined,
  };
}

function referenceIn(value: unknown): ObjectReference {
  const from = isFields(value) ? value : NONE;
  return {
    apiVersion: textIn(from.apiVersion),
    kind: textIn(from.kind),
    namespace: textIn(from.namespace),
    name: textIn(from.name),
    uid: textIn(from.uid),
    resourceVersion: textIn(from.resourceVersion),
    fieldPath: textIn(from.fieldPath),
  };
}

function sourceIn(value: unknown): EventData['deprecatedSource'] {
  if (!isFields(value)) return undefined;
  const source = { component: textIn(value.component), host: textIn(value.host) };
  return source.component || source.host ? source : undefined;
}

/** An owner reference without one of its four required fields is none. */
function ownersIn(value: unknown): Metadata['ownerReferences'] {
  if (!Array.isArray(value)) return undefined;
  return value.filter(isFields).flatMap((from) => {
    const [apiVersion, kind, name, uid] = [
      textIn(from.apiVersion),
      textIn(from.kind),
      textIn(from.name),
      textIn(from.uid),
    ];
    if (!apiVersion || !kind || !name || !uid) return [];
    return [
      {
        apiVersion,
        kind,
        name,
        uid,
        controller: flagIn(from.controller),
        blockOwnerDeletion: flagIn(from.blockOwnerDeletion),
      },
    ];
  });
}

const NONE: Fields = {};

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The API server leaves out an empty text in one shape and sends it in the other: both are absent. */
function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function flagIn(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** A positive int32, as the API declares a count. */
function countIn(value: unknown): number | undefined {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 2 ** 31 ? Number(value) : undefined;
}

function textsByNameIn(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isFields(value)) return undefined;
  // fromEntries defines its properties, so that a label named __proto__ is a label.
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
