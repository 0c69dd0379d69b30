import { type MsgHdrs, MsgHdrsImpl } from '@nats-io/transport-node';
import { attributeEntries, type Message, STRUCTURED_CONTENT_TYPE, structuredJson } from '../src/adapter.ts';
import { percentEncode } from './percent.ts';

export type NatsMode = 'binary' | 'structured';

/** All of it is printable ASCII. */
type Headers = Record<string, string>;

export interface NatsEvent {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/**
 * The event in the NATS binding of CloudEvents, cloudevents/bindings/nats-protocol-binding.md, since its version 1.0.3.
 * In binary mode `ce-datacontenttype` is a header like any other; `content-type`, in small letters, is where Go's SDK looks.
 */
export function natsEvent({ attributes, data }: Message, mode: NatsMode): NatsEvent {
  if (mode === 'structured') {
    return { headers: { 'content-type': STRUCTURED_CONTENT_TYPE }, body: structuredJson(attributes, data) };
  }
  const { datacontenttype } = attributes;
  const headers: Headers = { 'content-type': datacontenttype, 'ce-datacontenttype': datacontenttype };
  for (const [name, value] of attributeEntries(attributes)) headers[`ce-${name}`] = headerValue(value);
  return { headers, body: data };
}

const UNSAFE = /[^!-~]|["%]/gu;

/** NATS headers hold printable ASCII; the binding encodes everything else, and what would need quotes. */
export function headerValue(value: string): string {
  return percentEncode(value, UNSAFE);
}

/** The SDK's own way to make them, `set`, searches all names for each one. */
export function natsHeaders(headers: Headers): MsgHdrs {
  return MsgHdrsImpl.fromRecord(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])));
}

/** What counts against the server's max_payload: the header block and the body. */
export function payloadBytes({ headers, body }: NatsEvent): number {
  const lines = Object.entries(headers).map(([name, value]) => name.length + value.length + '\r\n: '.length);
  return lines.reduce((sum, line) => sum + line, 'NATS/1.0\r\n\r\n'.length) + body.length;
}
