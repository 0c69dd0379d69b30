/**
 * NATS, on nats.js: JetStream as `nats`, and core NATS, which stores nothing, as `nats-core`. They are two kinds of broker
 * here because they promise different things.
 *
 * Delivery: with JetStream the PubAck, with stream and sequence, is the acknowledgement: a majority of the stream's replicas
 *   has the message. The server calls fsync every two minutes unless it says `sync_interval: always`. Nats-Msg-Id is the
 *   deduplication id: a repeat within the stream's duplicate_window is acknowledged as a duplicate and not stored again,
 *   per stream, not per subject. Core NATS: the server has taken the message, for those who subscribe at the moment.
 * Order: one connection keeps it, but a refusal comes when later messages are on their way: so of one key one at a time.
 * Limits: the server's max_payload, judged here; the stream's own max_msg_size, by the broker.
 * Names: `.` separates tokens. In a part `.`, `*`, `>`, `%`, a leading `$` and all but printable ASCII become %XX; empty is
 *   `_`. With JetStream a stream must take the subject: nats stream add --subjects 'k8s.>' EVENTS.
 * Errors: JetStream's own codes (nats-outcome.ts); core NATS has the last four rows.
 *   | what the server says                                      | outcome                   |
 *   | PubAck                                                    | delivered                 |
 *   | nobody answers (503), and no stream takes the subject     | held, no-such-destination |
 *   | something that is no PubAck, from another subscriber      | held, no-such-destination |
 *   | nobody answers (503), but a stream does, or no JetStream  | retry, unavailable        |
 *   | 10035, 10039 account without JetStream                    | held, not-authorized      |
 *   | 10077 not stored, 10109 sealed, 10002, 10023, 10028, 10047 resources | held, destination-full |
 *   | 10054 max_msg_size, 10097 headers                         | reject, too-large         |
 *   | 10167 too many requests                                   | retry, throttled          |
 *   | any other error                                           | retry, unavailable        |
 *   | no answer in 10 s                                         | retry, timeout            |
 *   | PONG (core)                                               | delivered                 |
 *   | permissions violation                                     | held, not-authorized      |
 *   | permissions violation of our subscription to the answers  | no connection             |
 *   | larger than max_payload                                   | reject, too-large (by us) |
 *   | closes the connection, answers no ping for 20 to 30 s     | connection lost           |
 */
import { z } from 'zod';
import type { AdapterType, Capabilities } from '../src/adapter.ts';
import { type NatsOptions, natsOptions } from './nats-options.ts';
import { natsSubject } from './nats-subject.ts';

const mode = z.enum(['binary', 'structured']);
const jetStreamRoute = z.strictObject({ mode: mode.default('binary') });
const coreRoute = z.strictObject({ mode: mode.default('structured') });

const capabilities: Capabilities = {
  orderedBatches: false,
  batchSize: 128,
  parallelism: 4,
  knowsDestinations: true,
  stores: true,
  deduplicates: true,
  mode: 'binary',
};

export const nats: AdapterType<NatsOptions, z.output<typeof jetStreamRoute>> = {
  name: 'nats',
  brokerOptions: natsOptions,
  routeOptions: jetStreamRoute,
  destination: natsSubject,
  capabilities,
  async create(broker, route, context) {
    const [{ JetStreamAdapter }, { NatsLink }] = await Promise.all([
      import('./nats-jetstream.ts'),
      import('./nats-link.ts'),
    ]);
    return new JetStreamAdapter(await NatsLink.create(broker, context), route.mode);
  },
};

export const natsCore: AdapterType<NatsOptions, z.output<typeof coreRoute>> = {
  name: 'nats-core',
  brokerOptions: natsOptions,
  routeOptions: coreRoute,
  destination: natsSubject,
  capabilities: {
    ...capabilities,
    // One PING answers for a whole batch; two batches at once could not tell whose refusal they hear.
    batchSize: 512,
    parallelism: 1,
    knowsDestinations: false,
    stores: false,
    deduplicates: false,
    mode: 'structured',
  },
  async create(broker, route, context) {
    const [{ CoreNatsAdapter }, { NatsLink }] = await Promise.all([import('./nats-core.ts'), import('./nats-link.ts')]);
    return new CoreNatsAdapter(await NatsLink.create(broker, context), route.mode);
  },
};
