import { createHash } from 'node:crypto';
import type { CoreEvent } from './event-object.ts';
import { managedFields } from './managed-fields.ts';

/** Something happened to an object, and a component says so. */
export interface Occurrence {
  readonly object: InvolvedObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  /** The node that the component runs on. */
  readonly host?: string;
  /** How it is recorded: most write core/v1 with a count, the scheduler events.k8s.io/v1 with an action. */
  readonly action?: string;
}

export interface InvolvedObject {
  readonly kind: string;
  readonly apiVersion: string;
  /** Empty for a cluster's own, such as a Node. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly fieldPath?: string;
}

/** Where an occurrence is recorded, and how often it has been. */
export interface Recording {
  readonly name: string;
  readonly uid: string;
  readonly count: number;
  /** Milliseconds since 1970. */
  readonly first: number;
  readonly last: number;
}

/** Events about the cluster's own objects are kept in `default`. */
export function namespaceOf({ object }: Occurrence): string {
  return object.namespace || 'default';
}

/** The name that a recorder gives: the object's, and sixteen digits that tell its Events apart. */
export function eventName({ object, reason, message, component }: Occurrence, salt = ''): string {
  return `${object.name}.${digest(object.uid, reason, message, component, salt).slice(0, 16)}`;
}

/** A uid that is the same in every run. */
export function stableUid(...parts: readonly string[]): string {
  const d = digest(...parts);
  return `${d.slice(0, 8)}-${d.slice(8, 12)}-4${d.slice(13, 16)}-8${d.slice(17, 20)}-${d.slice(20, 32)}`;
}

export function eventOf(occurrence: Occurrence, { name, uid, count, first, last }: Recording): CoreEvent {
  const { object, type, reason, message, component, host = '', action = '' } = occurrence;
  const isNew = action !== '';
  const seconds = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;
  const micros = (time: number) => `${new Date(time).toISOString().slice(0, 23)}000Z`;
  const event: CoreEvent = {
    metadata: {
      name,
      generateName: '',
      namespace: object.namespace || 'default',
      uid,
      resourceVersion: '',
      creationTimestamp: seconds(first),
    },
    involvedObject: { ...object, resourceVersion: '', fieldPath: object.fieldPath ?? '' },
    reason,
    message,
    source: isNew ? { component: '', host: '' } : { component, host },
    firstTimestamp: isNew ? null : seconds(first),
    lastTimestamp: isNew ? null : seconds(last),
    count: isNew ? 0 : count,
    type,
    eventTime: isNew ? micros(first) : null,
    series: isNew && count > 1 ? { count, lastObservedTime: micros(last) } : undefined,
    action,
    related: undefined,
    reportingComponent: component,
    reportingInstance: isNew ? `${component}-control-plane-1` : host,
  };
  const by = { manager: component, group: isNew ? 'events.k8s.io' : 'core' } as const;
  return { ...event, metadata: { ...event.metadata, managedFields: managedFields(event, by) } };
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex');
}
