import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { headerValue } from '../../../adapters/nats-event.ts';
import { once, type RawClient } from './client.ts';

/** nats.js into JetStream on one connection, which keeps the order; each publish has its own acknowledgement. */
export async function rawNats(url: string, subject: string): Promise<RawClient> {
  const connection = await connect({ servers: url, reconnect: false, noAsyncTraces: true });
  const client = jetstream(connection);
  const made = once(({ attributes }) => {
    const all = headers();
    all.set('content-type', attributes.datacontenttype);
    for (const [name, value] of Object.entries(attributes)) all.set(`ce-${name}`, headerValue(String(value)));
    return all;
  });
  let published = 0;
  return {
    async send(batch) {
      // An id of its own, or the broker would drop what is published a second time.
      const publishing = batch.map((message) => {
        return client.publish(subject, message.data, {
          headers: made(message),
          msgID: `${process.pid}-${published++}`,
        });
      });
      await Promise.all(publishing);
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
