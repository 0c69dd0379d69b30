import { z } from 'zod';

/**
 * One stored object, two shapes. core/v1 is what is kept; events.k8s.io/v1 is the same Event with other names for some
 * of its fields: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 *
 * The fields stand in the order in which a real API server writes them, and empty ones are left out as it does.
 */

const text = z.string().default('');
const time = z.iso.datetime({ offset: true }).nullish();
const reference = z.object({
  kind: text,
  namespace: text,
  name: text,
  uid: text,
  apiVersion: text,
  resourceVersion: text,
  fieldPath: text,
});

const metadata = z
  .object({
    name: text,
    generateName: text,
    namespace: text,
    uid: text,
    resourceVersion: text,
    creationTimestamp: time,
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    managedFields: z.array(z.unknown()).optional(),
  })
  .prefault({});

const source = z.object({ component: text, host: text }).prefault({});
const series = z.object({ count: z.int().default(0), lastObservedTime: time }).nullish();
const common = { metadata, reason: text, type: text, eventTime: time, series, action: text };

const coreEvent = z.object({
  ...common,
  involvedObject: reference.prefault({}),
  message: text,
  source,
  firstTimestamp: time,
  lastTimestamp: time,
  count: z.int().default(0),
  related: reference.nullish(),
  reportingComponent: text,
  reportingInstance: text,
});

const eventsEvent = z
  .object({
    ...common,
    regarding: reference.prefault({}),
    note: text,
    deprecatedSource: source,
    deprecatedFirstTimestamp: time,
    deprecatedLastTimestamp: time,
    deprecatedCount: z.int().default(0),
    related: reference.nullish(),
    reportingController: text,
    reportingInstance: text,
  })
  .transform(
    (e): CoreEvent => ({
      ...e,
      involvedObject: e.regarding,
      message: e.note,
      source: e.deprecatedSource,
      firstTimestamp: e.deprecatedFirstTimestamp,
      lastTimestamp: e.deprecatedLastTimestamp,
      count: e.deprecatedCount,
      reportingComponent: e.reportingController,
    }),
  );

/** Every text field is there, perhaps empty. */
export type CoreEvent = z.infer<typeof coreEvent>;
export type Group = 'core' | 'events.k8s.io';

export const API_VERSION = { core: 'v1', 'events.k8s.io': 'events.k8s.io/v1' } as const;

/** What a client sent, or sentences about what is wrong with it. */
export function parseEvent(group: Group, body: unknown): { event: CoreEvent } | { problem: string } {
  const parsed = (group === 'core' ? coreEvent : eventsEvent).safeParse(body);
  if (parsed.success) return { event: parsed.data };
  const [issue] = parsed.error.issues;
  return { problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}` };
}

/** The Event as an API server writes it, in either shape. */
export function eventJson(group: Group, e: CoreEvent): object {
  const { resourceVersion, creationTimestamp, labels, annotations, managedFields, ...names } = e.metadata;
  const head = {
    kind: 'Event',
    apiVersion: API_VERSION[group],
    metadata: { ...dropEmpty(names), resourceVersion, creationTimestamp, labels, annotations, managedFields },
  };
  const series = e.series ?? undefined;
  const action = e.action || undefined;
  const related = e.related ? dropEmpty(e.related) : undefined;
  const count = e.count || undefined;
  if (group === 'core') {
    return {
      ...head,
      involvedObject: dropEmpty(e.involvedObject),
      reason: e.reason || undefined,
      message: e.message || undefined,
      source: dropEmpty(e.source),
      firstTimestamp: seconds(e.firstTimestamp),
      lastTimestamp: seconds(e.lastTimestamp),
      count,
      type: e.type || undefined,
      eventTime: e.eventTime ?? null,
      series,
      action,
      related,
      reportingComponent: e.reportingComponent,
      reportingInstance: e.reportingInstance,
    };
  }
  return {
    ...head,
    eventTime: e.eventTime ?? null,
    series,
    reportingController: e.reportingComponent || undefined,
    reportingInstance: e.reportingInstance || undefined,
    action,
    reason: e.reason || undefined,
    regarding: dropEmpty(e.involvedObject),
    related,
    note: e.message || undefined,
    type: e.type || undefined,
    deprecatedSource: dropEmpty(e.source),
    deprecatedFirstTimestamp: seconds(e.firstTimestamp),
    deprecatedLastTimestamp: seconds(e.lastTimestamp),
    deprecatedCount: count,
  };
}

/** A `Time` has whole seconds and ends in Z; a `MicroTime` is kept as it came. */
function seconds(value: string | null | undefined): string | null {
  return value ? `${new Date(value).toISOString().slice(0, 19)}Z` : null;
}

function dropEmpty(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value != null));
}
