/** The CloudEvents 1.0 envelope: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */

/** `<Kind>[.<group>]/<namespace>/<name>` of the involved object: the order of its Events is kept. */
export type ObjectKey = string;

/** live: seen by the watch; backfill: found by a list; replay: sent again because an operator asked. */
export type Origin = 'live' | 'backfill' | 'replay';

/** The context attributes. Every value is legal text of at most 512 bytes of UTF-8; an empty one is left out. */
export interface Attributes {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: 'kube-fanout.event.v1' | 'kube-fanout.gap.v1';
  readonly subject: ObjectKey;
  readonly partitionkey: ObjectKey;
  /** RFC 3339, when it occurred. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly dataschema: 'urn:kube-fanout:event:v1';
  readonly sequence: string;
  readonly cluster: string;
  readonly namespace?: string;
  readonly kind?: string;
  readonly apiversion?: string;
  readonly name?: string;
  readonly reason?: string;
  readonly severitytext?: 'INFO' | 'WARN';
  readonly severitynumber?: 9 | 13;
  /** RFC 3339, when this daemon read it. */
  readonly recordedtime: string;
  readonly origin: Origin;
}

/** The media type of an event in structured mode. */
export const STRUCTURED_CONTENT_TYPE = 'application/cloudevents+json; charset=UTF-8';

/** What a binary mode sends as headers: every attribute but datacontenttype, for which each protocol has its own place. */
export function attributeEntries({ datacontenttype, ...attributes }: Attributes): [name: string, value: string][] {
  return Object.entries(attributes).map(([name, value]) => [name, String(value)]);
}

/** The whole event in the JSON event format; `data`, which is UTF-8 JSON already, is copied in unparsed. */
export function structuredJson(attributes: Attributes, data: Uint8Array): Uint8Array {
  const head = `${JSON.stringify(attributes).slice(0, -1)},"data":`;
  const headBytes = Buffer.byteLength(head);
  const whole = Buffer.allocUnsafe(headBytes + data.length + 1);
  whole.write(head);
  whole.set(data, headBytes);
  whole[whole.length - 1] = 0x7d;
  return whole;
}
