/** From an Event, as the API server sends it, to the record that goes into the journal. Pure: the clock is handed in. */

import type { Attributes, ObjectKey, Origin } from './cloud-event.ts';
import { type EventData, eventData, type Fields, isFields, shapeOf } from './event-data.ts';
import type { NewRecord } from './new-record.ts';
import { type Position, parseResourceVersion, positionOf } from './position.ts';
import { attributeText, objectKey } from './text.ts';

export interface EnvelopeContext {
  /** As the config names it. */
  readonly cluster: string;
  readonly origin: Exclude<Origin, 'replay'>;
  /** When the Event was read. */
  readonly now: Date;
}

/** The object is no Event that can be placed in a stream; `refused` says why, in words. */
export interface Refusal {
  readonly refused: string;
}

/**
 * The record of one revision of an Event: a core/v1 or events.k8s.io/v1 Event as it stands in a watch line's `object`
 * or a list's `items`. Whatever it is given, it never throws. The same revision gives the same id, sequence and data,
 * from whichever API and daemon.
 */
export function envelopeOf(object: unknown, context: EnvelopeContext): NewRecord | Refusal {
  if (!isFields(object)) return { refused: 'it is not a JSON object' };
  const shape = shapeOf(object);
  if (shape === undefined) {
    return { refused: `its apiVersion is ${excerpt(object.apiVersion)} and its kind ${excerpt(object.kind)}` };
  }
  const { uid, resourceVersion } = isFields(object.metadata) ? object.metadata : NO_METADATA;
  if (typeof uid !== 'string' || !/^[!-~]{1,128}$/.test(uid)) return { refused: `its uid is ${excerpt(uid)}` };
  const rv = parseResourceVersion(resourceVersion);
  if (rv === undefined) {
    return { refused: `its resourceVersion is ${excerpt(resourceVersion)}, not a decimal number, so it has no place` };
  }
  const position = positionOf(rv);
  const data = eventData(object, shape, context.now);
  return recordOf({ kind: 'event', id: `${uid}.${rv}`, position, key: objectKey(data.regarding), data }, context);
}

interface Content {
  readonly kind: NewRecord['kind'];
  readonly id: string;
  readonly position: Position;
  readonly key: ObjectKey;
  readonly data: EventData;
}

/** The attributes are derived from `data`, in one place for Events and gap records. */
export function recordOf({ kind, id, position, key, data }: Content, context: EnvelopeContext): NewRecord {
  const cluster = attributeText(context.cluster) ?? '';
  const attributes: { -readonly [Name in keyof NewRecord['attributes']]: Attributes[Name] } = {
    specversion: '1.0',
    id,
    source: `/clusters/${encodeURIComponent(cluster)}`,
    type: kind === 'event' ? 'kube-fanout.event.v1' : 'kube-fanout.gap.v1',
    subject: key,
    partitionkey: key,
    time: data.lastTime,
    datacontenttype: 'application/json',
    dataschema: 'urn:kube-fanout:event:v1',
    sequence: position,
    cluster,
    recordedtime: context.now.toISOString(),
  };
  const texts = {
    namespace: attributeText(data.metadata.namespace),
    kind: attributeText(data.regarding.kind),
    apiversion: attributeText(data.regarding.apiVersion),
    name: attributeText(data.regarding.name),
    reason: attributeText(data.reason),
  };
  if (texts.namespace) attributes.namespace = texts.namespace;
  if (texts.kind) attributes.kind = texts.kind;
  if (texts.apiversion) attributes.apiversion = texts.apiversion;
  if (texts.name) attributes.name = texts.name;
  if (texts.reason) attributes.reason = texts.reason;
  if (data.type === 'Normal') Object.assign(attributes, { severitytext: 'INFO', severitynumber: 9 });
  if (data.type === 'Warning') Object.assign(attributes, { severitytext: 'WARN', severitynumber: 13 });
  return { position, kind, key, origin: context.origin, attributes, data: Buffer.from(JSON.stringify(data)) };
}

const NO_METADATA: Fields = {};

function excerpt(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  return value === undefined ? 'missing' : `of type ${typeof value}`;
}
