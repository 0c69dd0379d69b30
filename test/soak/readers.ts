/** Subscribers that go on for hours: they hand over what arrives and keep none of it, whatever becomes of their broker. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { z } from 'zod';
import type { MosquittoAddress } from '../backends/mosquitto.ts';
import type { NatsAddress } from '../backends/nats.ts';
import { NatsWire, parseHeaders } from '../contract/nats-wire.ts';
import type { Place } from '../main-job/subscribers.ts';

/** As much of a CloudEvent as is counted. */
const Envelope = z.object({
  id: z.string(),
  type: z.string(),
  partitionkey: z.string(),
  data: z.object({ gap: z.object({ from: z.string().optional(), to: z.string() }).optional() }).optional(),
});
export type Envelope = z.output<typeof Envelope>;

export interface Reader extends Place, AsyncDisposable {}

/** In a session that the broker keeps, so that it gets what was published while either was away. */
export async function readMqtt({ url }: MosquittoAddress, take: (envelope: Envelope) => void): Promise<Reader> {
  const topic = `${randomUUID()}/all`;
  const session = { clientId: randomUUID(), clean: false, reconnectPeriod: 100, protocolVersion: 4 } as const;
  const client = await connectAsync(url, session);
  client.on('error', () => {});
  client.on('message', (_, body) => take(Envelope.parse(JSON.parse(body.toString()))));
  await client.subscribeAsync(topic, { qos: 1 });
  return {
    ...{ route: 'mqtt', broker: { mqtt: { url } }, to: { topic } },
    [Symbol.asyncDispose]: () => client.endAsync(true),
  };
}

/** Bytes of the stream, which has to hold what is published while its reader connects again, and no more. */
const STREAM_BYTES = 256 * 1024 * 1024;

/** Makes the stream, and reads it in its order; after a break from behind what it had last. */
export async function readNats(at: NatsAddress, take: (envelope: Envelope) => void): Promise<Reader> {
  const stream = `SOAK${randomUUID().replaceAll('-', '')}`;
  const subject = `${stream}.all`;
  const config = { name: stream, subjects: [subject], storage: 'file', retention: 'limits', max_bytes: STREAM_BYTES };
  await using asking = await NatsWire.connect(at);
  await asking.jetStream(`STREAM.CREATE.${stream}`, config);
  const end = new AbortController();
  const started = Promise.withResolvers<void>();
  let next = 1;
  const read = async () => {
    await using wire = await NatsWire.connect(at);
    const inbox = `_INBOX.${randomUUID()}`;
    await wire.subscribe(inbox, ({ headers, body, reply = '' }) => {
      next = Number(reply.split('.')[5]) + 1;
      take(envelopeOf(parseHeaders(headers), body));
    });
    const consumer = { deliver_subject: inbox, ack_policy: 'none', deliver_policy: 'by_start_sequence' };
    const whole = { stream_name: stream, config: { ...consumer, opt_start_seq: next } };
    const closed = wire.closed(end.signal);
    await Promise.race([closed, wire.jetStream(`CONSUMER.CREATE.${stream}`, whole).then(() => started.resolve())]);
    await closed;
  };
  const running = (async () => {
    while (!end.signal.aborted) {
      await read().catch(() => {});
      await sleep(100, undefined, { signal: end.signal }).catch(() => {});
    }
  })();
  await started.promise;
  return {
    ...{ route: 'nats', broker: { nats: { servers: [at.url] } }, to: { subject } },
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
    },
  };
}

function envelopeOf(headers: Readonly<Record<string, string>>, body: Buffer): Envelope {
  const attribute = (name: string) => headers[`ce-${name}`];
  const type = attribute('type');
  return Envelope.parse({
    ...{ id: attribute('id'), type, partitionkey: attribute('partitionkey') },
    ...(type === 'kube-fanout.gap.v1' && { data: JSON.parse(body.toString()) }),
  });
}
