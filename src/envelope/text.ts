/** Attribute values that every broker takes: CloudEvents 1.0, section "Type System", and a bound on their length. */
import { createHash } from 'node:crypto';
import type { ObjectKey } from './cloud-event.ts';

/** Bytes of UTF-8. An intermediary must forward 64 KiB, all attributes and the data together. */
const MAX_ATTRIBUTE_BYTES = 512;

const ILLEGAL = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/gu;

/**
 * `value` with every control character, noncharacter and lone surrogate replaced by U+FFFD, cut at a character border;
 * undefined when nothing is there. One U+0001 in a reason makes Mosquitto close the connection.
 */
export function attributeText(value: string | undefined): string | undefined {
  // A thousand units are more than enough for 512 bytes, and a name may be a megabyte.
  return value
    ? cut(value.slice(0, 2 * MAX_ATTRIBUTE_BYTES).replace(ILLEGAL, '\ufffd'), MAX_ATTRIBUTE_BYTES)
    : undefined;
}

/** What the key of an object is made of; every part may be missing, and any pod can write any of them. */
interface Named {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

const RESERVED = /[%/#\p{Cc}\p{Noncharacter_Code_Point}]/gu;

/**
 * `<Kind>[.<group>]/<namespace>/<name>`, as in `Pod/web/api-7f9c`, `Deployment.apps/web/api` and `Node//worker-1`.
 *
 * No two objects share a key: what has a meaning in a key is percent-encoded within a part (a dot in the kind too), and
 * a key too long for an attribute ends in `#` and a hash of the whole.
 */
export function objectKey({ apiVersion = '', kind = '', namespace = '', name = '' }: Named): ObjectKey {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.lastIndexOf('/')));
  const type = `${keyPart(kind).replaceAll('.', '%2E')}${group === '' ? '' : `.${keyPart(group)}`}`;
  const key = `${type}/${keyPart(namespace)}/${keyPart(name)}`;
  if (key.length * 3 <= MAX_ATTRIBUTE_BYTES || Buffer.byteLength(key) <= MAX_ATTRIBUTE_BYTES) return key;
  const hash = `#${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  return cut(key, MAX_ATTRIBUTE_BYTES - hash.length) + hash;
}

function keyPart(part: string): string {
  return part.toWellFormed().replace(RESERVED, encodeURIComponent);
}

const encoder = new TextEncoder();
const room = new Uint8Array(MAX_ATTRIBUTE_BYTES);

/** The longest beginning of `text` that fits into `bytes` of UTF-8 without splitting a character. */
function cut(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  return text.slice(0, encoder.encodeInto(text, room.subarray(0, bytes)).read);
}
