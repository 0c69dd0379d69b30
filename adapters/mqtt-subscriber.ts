/** A plain subscriber, which knows MQTT and CloudEvents and nothing of kube-fanout: the demo counts by it. */
import { z } from 'zod';

const cloudEvent = z.looseObject({
  id: z.string(),
  partitionkey: z.string(),
  sequence: z.string(),
  data: z.looseObject({
    type: z.string().default(''),
    reason: z.string().default(''),
    note: z.string().default(''),
    count: z.number().default(1),
    regarding: z.looseObject({ kind: z.string().default(''), name: z.string().default('') }).prefault({}),
  }),
});
export type SubscribedEvent = z.output<typeof cloudEvent>;

export interface Subscription {
  readonly port: number;
  readonly onEvent: (event: SubscribedEvent, topic: string) => void;
}

/** Settles when the broker on this machine has granted the subscription; tries until the signal aborts. */
export async function subscribe({ port, onEvent }: Subscription, signal: AbortSignal): Promise<AsyncDisposable> {
  const { connect } = await import('mqtt');
  const client = connect({ host: '127.0.0.1', port, protocolVersion: 4, reconnectPeriod: 100, connectTimeout: 2_000 });
  client.on('error', () => {});
  client.on('message', (topic, payload) => onEvent(cloudEvent.parse(JSON.parse(payload.toString())), topic));
  const subscribed = Promise.withResolvers<void>();
  client.on('connect', () => client.subscribe('#', { qos: 1 }, (error) => error === null && subscribed.resolve()));
  const giveUp = () => subscribed.reject(new Error(`nobody serves MQTT on 127.0.0.1:${port}`));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await subscribed.promise;
  } catch (error) {
    await client.endAsync(true);
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  return { [Symbol.asyncDispose]: () => client.endAsync(true) };
}
