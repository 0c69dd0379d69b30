import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { type Message, STRUCTURED_CONTENT_TYPE, structuredJson } from '../src/adapter.ts';
import type { Refusal } from './in-order.ts';

/** A message as Pub/Sub takes it. */
export interface PubSubMessage {
  readonly message: Message;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
  /** What it takes of a request, at most. */
  readonly bytes: number;
}

/**
 * By Google's draft of a binding: https://github.com/googleapis/google-cloudevents/blob/main/docs/spec/pubsub.md. It
 * names the attribute `content-type`; the SDK for Go reads it as `Content-Type` only: so both are there.
 */
export function toPubSub(message: Message, mode: 'binary' | 'structured'): PubSubMessage {
  const { attributes, data } = message;
  const orderingKey = orderingKeyOf(message.key);
  if (mode === 'structured') {
    const types = contentType(STRUCTURED_CONTENT_TYPE);
    return sized({ message, data: structuredJson(attributes, data), attributes: types, orderingKey });
  }
  const { datacontenttype, ...others } = attributes;
  const made = contentType(datacontenttype);
  for (const [name, value] of Object.entries(others)) made[`ce-${name}`] = String(value);
  return sized({ message, data, attributes: made, orderingKey });
}

function contentType(type: string): Record<string, string> {
  return { 'content-type': type, 'Content-Type': type };
}

/** https://cloud.google.com/pubsub/quotas#resource_limits */
const MAX_REQUEST_BYTES = 10_000_000;
const MAX_MESSAGES = 1_000;
const MAX_KEY_BYTES = 1_024;
const MAX_VALUE_BYTES = 1_024;

/** What one request may hold, less what the topic's name and the framing take. */
export const REQUEST_LIMITS = { bytes: MAX_REQUEST_BYTES - 1_000, count: MAX_MESSAGES };

/** The key itself; a longer one is cut and told from others by a hash, for it may not exceed 1,024 bytes. */
function orderingKeyOf(key: string): string {
  const bytes = Buffer.from(key);
  if (bytes.length <= MAX_KEY_BYTES) return key;
  const hash = createHash('sha256').update(bytes).digest('hex');
  // A character cut in half would become one of three bytes.
  const cut = bytes
    .subarray(0, MAX_KEY_BYTES - hash.length - 4)
    .toString()
    .replace(/\ufffd$/u, '');
  return `${cut}#${hash}`;
}

function sized(message: Omit<PubSubMessage, 'bytes'>): PubSubMessage {
  let bytes = message.data.length + Buffer.byteLength(message.orderingKey) + 24;
  for (const [name, value] of Object.entries(message.attributes)) bytes += name.length + Buffer.byteLength(value) + 12;
  return { ...message, bytes };
}

/** What Pub/Sub would refuse a message for, and with it all others of the request. */
export function refusalOf(message: PubSubMessage): Refusal | undefined {
  if (message.bytes > REQUEST_LIMITS.bytes) {
    const detail = `The message is larger than the ${MAX_REQUEST_BYTES} bytes that Pub/Sub takes.`;
    return { kind: 'reject', reason: 'too-large', detail, judge: 'adapter' };
  }
  for (const [name, value] of Object.entries(message.attributes)) {
    // A character takes three bytes at most, or two of them four.
    if (value.length * 3 <= MAX_VALUE_BYTES || Buffer.byteLength(value) <= MAX_VALUE_BYTES) continue;
    const detail = `The attribute ${name} is longer than the ${MAX_VALUE_BYTES} bytes that Pub/Sub takes.`;
    return { kind: 'reject', reason: 'invalid-message', detail, judge: 'adapter' };
  }
  return undefined;
}
