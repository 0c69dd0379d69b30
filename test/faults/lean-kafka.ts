/** A Kafka of one's own for a million Events, which must fit into the memory of whoever judges. */
import { createHash } from 'node:crypto';
import { startKafka } from '../backends/kafka.ts';
import type { Seen } from '../main-job/seen.ts';
import { kafkaSubscriber } from '../main-job/subscribers.ts';
import { type Broker, brokerOf, owned } from './brokers.ts';

export async function leanKafka(): Promise<Broker> {
  return owned(await startKafka(), (kafka) => ({
    ...brokerOf.kafka(kafka),
    subscriber: () => kafkaSubscriber(kafka.address, undefined, {}, lean),
  }));
}

/** Of what nobody reads, a hash will do. */
function lean(seen: Seen): Seen {
  if (seen.type !== 'kube-fanout.event.v1') return seen;
  const data = createHash('sha256').update(JSON.stringify(seen.data)).digest('base64');
  return { ...seen, attributes: { origin: seen.attributes.origin }, data };
}
