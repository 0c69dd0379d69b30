import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { NatsAddress } from '../backends/nats.ts';
import { Arrivals } from './arrivals.ts';
import { within } from './case.ts';
import type { Reader, Received } from './harness.ts';
import { NatsWire, parseHeaders, type WireMessage } from './nats-wire.ts';

/** A stream for one subject, `allowed.<stream>`, and the subject. */
export async function createStream(at: NatsAddress, config: object = {}): Promise<string> {
  await using wire = await NatsWire.connect(at);
  const name = `S${randomUUID().replaceAll('-', '')}`;
  const subject = `allowed.${name}`;
  const whole = { name, subjects: [subject], storage: 'file', retention: 'limits', ...config };
  await wire.jetStream(`STREAM.CREATE.${name}`, whole);
  return subject;
}

export async function sealStream(at: NatsAddress): Promise<string> {
  const subject = await createStream(at);
  await using wire = await NatsWire.connect(at);
  const name = nameOf(subject);
  const sealed = { sealed: true, deny_delete: true, deny_purge: true };
  await wire.jetStream(`STREAM.UPDATE.${name}`, { name, subjects: [subject], ...sealed });
  return subject;
}

interface StreamInfo {
  readonly state: { readonly messages: number };
}

const READ_MS = 60_000;

/** Reads what the stream has stored, by a consumer that the server forgets when its reader is gone. */
export function readStream(at: NatsAddress, subject: string): Reader {
  const stream = nameOf(subject);
  return {
    async received(count) {
      await using wire = await NatsWire.connect(at);
      const { state } = await wire.jetStream<StreamInfo>(`STREAM.INFO.${stream}`, {});
      assert(state.messages >= count, `${state.messages} of ${count} messages`);
      if (state.messages === 0) return [];
      const found: WireMessage[] = [];
      const { promise: all, resolve } = Promise.withResolvers<void>();
      const inbox = `_INBOX.${randomUUID()}`;
      await wire.subscribe(inbox, (message) => {
        found.push(message);
        if (standingOf(message).pending === 0) resolve();
      });
      const config = { deliver_subject: inbox, deliver_policy: 'all', ack_policy: 'none', mem_storage: true };
      await wire.jetStream(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config });
      await within(READ_MS, `the last of ${state.messages} messages`, Promise.race([all, wire.lost()]));
      assert(found.length >= state.messages, `${found.length} of ${state.messages} messages came`);
      return found.map((message): Received => {
        const place = { stream, seq: standingOf(message).seq, duplicate: false };
        return { headers: parseHeaders(message.headers), body: message.body, place };
      });
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<number>.<time>.<pending>`: ADR-15 of the NATS architecture. */
function standingOf({ reply = '' }: WireMessage): { readonly seq: number; readonly pending: number } {
  const words = reply.split('.');
  return { seq: Number(words.at(-4)), pending: Number(words.at(-1)) };
}

/** Reads what is published from now on. */
export async function listen(at: NatsAddress, subject: string): Promise<Reader> {
  const arrivals = new Arrivals();
  const wire = await NatsWire.connect(at);
  await wire.subscribe(subject, ({ headers, body }) => arrivals.add({ headers: parseHeaders(headers), body }));
  return {
    received: (count) => arrivals.received(count),
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}

function nameOf(subject: string): string {
  return subject.split('.')[1] ?? '';
}
