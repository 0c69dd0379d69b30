import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { natsEvent, natsHeaders } from '../../../adapters/nats-event.ts';
import { once, type RawClient } from './client.ts';

/** nats.js into JetStream on one connection, which keeps the order; each publish has its own acknowledgement. */
export async function rawNats(url: string, subject: string): Promise<RawClient> {
  const connection = await connect({ servers: url, reconnect: false });
  const client = jetstream(connection);
  const event = once((message) => {
    const { headers, body } = natsEvent(message, 'binary');
    return { headers, body };
  });
  let published = 0;
  return {
    async send(batch) {
      await Promise.all(
        batch.map((message) => {
          const { headers, body } = event(message);
          // An id of its own, or the broker would drop what is published a second time.
          const own = { ...headers, 'Nats-Msg-Id': `${process.pid}-${published++}` };
          return client.publish(subject, body, { headers: natsHeaders(own) });
        }),
      );
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
