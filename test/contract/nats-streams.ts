import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { NatsAddress } from '../backends/nats.ts';
import { Arrivals } from './arrivals.ts';
import type { Reader, Received } from './harness.ts';
import { NatsWire, parseHeaders } from './nats-wire.ts';

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
  readonly state: { readonly messages: number; readonly first_seq: number };
}

interface Stored {
  readonly message: { readonly hdrs?: string; readonly data?: string; readonly seq: number };
}

/** Reads what the stream has stored, one sequence after the other. */
export function readStream(at: NatsAddress, subject: string): Reader {
  const stream = nameOf(subject);
  return {
    async received(count) {
      await using wire = await NatsWire.connect(at);
      const { state } = await wire.jetStream<StreamInfo>(`STREAM.INFO.${stream}`, {});
      assert(state.messages >= count, `${state.messages} of ${count} messages`);
      const found: Received[] = [];
      for (let seq = state.first_seq; found.length < state.messages; seq++) {
        const { message } = await wire.jetStream<Stored>(`STREAM.MSG.GET.${stream}`, { seq });
        const headers = parseHeaders(Buffer.from(message.hdrs ?? '', 'base64').toString());
        const body = Buffer.from(message.data ?? '', 'base64');
        found.push({ headers, body, place: { stream, seq: message.seq, duplicate: false } });
      }
      return found;
    },
    async [Symbol.asyncDispose]() {},
  };
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
