import { MsgHdrsImpl } from '@nats-io/transport-node';
import { type Message, STRUCTURED_CONTENT_TYPE, structuredJson } from '../src/adapter.ts';
import { percentEncode } from './percent.ts';

export type NatsMode = 'binary' | 'structured';

export interface NatsEvent {
  readonly headers: HeaderBlock;
  readonly body: Uint8Array;
}

/** Headers as they go over the wire, made once: the SDK's own are made of maps of lists, and searched at every step. */
class HeaderBlock extends MsgHdrsImpl {
  readonly #bytes: Uint8Array;

  /** Of lines that each end with a line's end; all of it is printable ASCII. */
  constructor(lines: string) {
    super();
    this.#bytes = Buffer.from(`NATS/1.0\r\n${lines}\r\n`, 'latin1');
  }

  get length(): number {
    return this.#bytes.length;
  }

  override encode(): Uint8Array {
    return this.#bytes;
  }
}

/**
 * The event in the NATS binding of CloudEvents, cloudevents/bindings/nats-protocol-binding.md, since its version 1.0.3.
 * In binary mode `ce-datacontenttype` is a header like any other; `content-type`, in small letters, is where Go's SDK looks.
 * `more` are headers besides, by name.
 */
export function natsEvent(message: Message, mode: NatsMode, more: Readonly<Record<string, string>> = {}): NatsEvent {
  const { attributes, data } = message;
  let lines = '';
  for (const [name, value] of Object.entries(more)) lines += line(name, value);
  if (mode === 'structured') {
    lines += line('content-type', STRUCTURED_CONTENT_TYPE);
    return { headers: new HeaderBlock(lines), body: structuredJson(attributes, data) };
  }
  lines += line('content-type', attributes.datacontenttype);
  for (const [name, value] of Object.entries(attributes)) lines += line(`ce-${name}`, headerValue(String(value)));
  return { headers: new HeaderBlock(lines), body: data };
}

function line(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

const SAFE = /^[!#$&-~]*$/;
const UNSAFE = /[^!-~]|["%]/gu;

/** NATS headers hold printable ASCII; the binding encodes everything else, and what would need quotes. */
export function headerValue(value: string): string {
  return SAFE.test(value) ? value : percentEncode(value, UNSAFE);
}

/** What counts against the server's max_payload: the header block and the body. */
export function payloadBytes({ headers, body }: NatsEvent): number {
  return headers.length + body.length;
}
