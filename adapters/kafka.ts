/**
 * Kafka, on kafkajs.
 *
 * Delivery: acks=all. The answer to the produce request is the acknowledgement: as durable as the topic's replication
 *   factor and min.insync.replicas make it. kafkajs can report success for a send it never made, so every partition that
 *   was sent to must be in the answer, without an error.
 * Order: kept in each partition. The partition is the one that Java's default partitioner chooses for the key.
 * Limits: the topic's max.message.bytes is a limit on a whole record batch, of which one bad record would take the others
 *   along: sizes are judged here, and batches cut to fit. It is asked for, and taken as Kafka's default where that is
 *   not permitted. One topic, one partition to a request, so that a fault of one is no other's.
 * Names: 1 to 249 of `a-z A-Z 0-9 . _ -`; in a part all else becomes `_`. Topics are never created here.
 * Errors: the error code of the partition (kafka-outcome.ts).
 *   | what the broker says                                      | outcome                     |
 *   | unknown topic                                             | held, no-such-destination   |
 *   | topic or cluster authorization failed                     | held, not-authorized        |
 *   | leader not available, not leader, too few replicas, disk  | retry, unavailable          |
 *   | the time of sending is too far from its clock             | retry, unavailable          |
 *   | request timed out                                         | retry, timeout              |
 *   | message or record list too large                          | one by one, then too-large  |
 *   | invalid record, message format                            | one by one, then rejected   |
 *   | invalid topic                                             | reject, invalid-destination |
 *   | larger than max.message.bytes                             | reject, too-large (by us)   |
 *   | throttled                                                 | kafkajs waits as long       |
 *   | no broker answers, or an answer lacks what was asked for  | connection lost             |
 *   | no answer to a request in 25 s                            | connection lost             |
 */
import type { SASLOptions } from 'kafkajs';
import { z } from 'zod';
import { type AdapterType, choice, type DestinationRules, secret } from '../src/adapter.ts';
import { kafkaClient } from './kafka-client.ts';
import { KafkaAdapter } from './kafka-publish.ts';
import { readTls, tlsFiles } from './tls-files.ts';

const address = z.string().regex(/^[^\s:/,]+:[0-9]{1,5}$/, 'an address such as kafka-1:9092');

const login = z.strictObject({ username: z.string().min(1), password: secret() });

const brokerOptions = z.strictObject({
  bootstrap: z.array(address).min(1, 'at least one address such as kafka-1:9092'),
  /** `true` trusts the certificate authorities that Node trusts. */
  tls: z.union([z.boolean(), tlsFiles]).default(false),
  sasl: choice({ plain: login, scramSha256: login, scramSha512: login }).optional(),
});

const routeOptions = z.strictObject({ mode: z.enum(['binary', 'structured']).default('binary') });

type BrokerOptions = z.output<typeof brokerOptions>;
type RouteOptions = z.output<typeof routeOptions>;

const LONGEST_NAME = 249;

const destination: DestinationRules = {
  field: 'topic',
  escape: (value) => value.replace(/[^a-zA-Z0-9._-]/gu, '_') || '_',
  refuse(topic) {
    if (topic === '' || topic === '.' || topic === '..') return `${JSON.stringify(topic)} is no topic name`;
    const bad = /[^a-zA-Z0-9._-]/u.exec(topic)?.[0];
    if (bad !== undefined) return `${JSON.stringify(bad)} cannot be in a topic name, only a-z A-Z 0-9 . _ -`;
    if (topic.length > LONGEST_NAME) return `a topic name has at most ${LONGEST_NAME} characters`;
    return undefined;
  },
};

export const kafka: AdapterType<BrokerOptions, RouteOptions> = {
  name: 'kafka',
  brokerOptions,
  routeOptions,
  destination,
  capabilities: {
    orderedBatches: true,
    batchSize: 500,
    parallelism: 2,
    knowsDestinations: true,
    stores: true,
    deduplicates: false,
    mode: 'binary',
  },

  async create({ bootstrap, tls, sasl }, { mode }, context) {
    const client = await kafkaClient(
      {
        bootstrap,
        tls: tls === false ? undefined : await readTls(tls === true ? {} : tls),
        sasl: await saslOptions(sasl),
      },
      context,
    );
    return new KafkaAdapter(client, mode);
  },
};

async function saslOptions(sasl: BrokerOptions['sasl']): Promise<SASLOptions | undefined> {
  if (sasl?.plain) return { mechanism: 'plain', ...(await revealed(sasl.plain)) };
  if (sasl?.scramSha256) return { mechanism: 'scram-sha-256', ...(await revealed(sasl.scramSha256)) };
  if (sasl?.scramSha512) return { mechanism: 'scram-sha-512', ...(await revealed(sasl.scramSha512)) };
  return undefined;
}

async function revealed({ username, password }: z.output<typeof login>) {
  return { username, password: await password.reveal() };
}
