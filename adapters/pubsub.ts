/**
 * Google Cloud Pub/Sub, by the publish request itself.
 *
 * Delivery: the message id in the answer is the acknowledgement: stored in several zones until each subscription has
 *   acknowledged it or its retention is over. A topic without a subscription keeps nothing.
 * Order: the key is the ordering key. A request holds messages of one key and is stored whole or not at all; requests of
 *   one key follow each other. Subscriptions must have message ordering enabled, and a regional endpoint keeps the order
 *   of publishers in several regions.
 * Limits: 10 MB a request, 1,024 bytes an attribute's value, judged here. A key of over 1,024 bytes is cut, with a hash.
 *   One request a key: many keys cost more than many messages.
 * Names: a letter, then 2 to 254 of `a-z A-Z 0-9 - _ . ~ + %`, not beginning with `goog`; in a part all else becomes `_`.
 *   Topics are never created here.
 * Errors: the status of the request (pubsub-outcome.ts).
 *   | what the service says                                    | outcome                        |
 *   | NOT_FOUND                                                | held, no-such-destination      |
 *   | PERMISSION_DENIED                                        | held, not-authorized           |
 *   | RESOURCE_EXHAUSTED                                       | retry, throttled               |
 *   | DEADLINE_EXCEEDED, or no answer while others get one     | retry, timeout                 |
 *   | UNAVAILABLE, INTERNAL, ABORTED and any other             | retry, unavailable             |
 *   | INVALID_ARGUMENT                                         | one by one, then rejected      |
 *   | larger than 10 MB                                        | reject, too-large (by us)      |
 *   | an attribute over 1,024 bytes                            | reject, invalid-message (by us)|
 *   | UNAUTHENTICATED                                          | connection lost: log in again  |
 *   | the channel breaks, or nothing is answered for 20 s      | connection lost                |
 */
import { z } from 'zod';
import { type AdapterType, type DestinationRules, secret } from '../src/adapter.ts';
import { publisherClient } from './pubsub-client.ts';
import { PubSubAdapter } from './pubsub-publish.ts';

const ENDPOINT = 'a URL such as https://europe-west1-pubsub.googleapis.com, or http://localhost:8085 for an emulator';

const brokerOptions = z
  .strictObject({
    projectId: z.string().regex(/^[a-z][a-z0-9.:-]{2,}$/, 'the id of a project, such as my-project-123'),
    /** `http:` is an emulator, which is asked without credentials. */
    endpoint: z.url({ protocol: /^https?$/, error: ENDPOINT }).default('https://pubsub.googleapis.com'),
    /** A service account's key in JSON. Without it: application default credentials, of whatever kind. */
    credentials: secret().optional(),
  })
  .refine(({ endpoint, credentials }) => credentials === undefined || endpoint.startsWith('https:'), {
    error: 'credentials are never sent over http:',
    path: ['credentials'],
  });

const routeOptions = z.strictObject({ mode: z.enum(['binary', 'structured']).default('binary') });

type BrokerOptions = z.output<typeof brokerOptions>;
type RouteOptions = z.output<typeof routeOptions>;

const destination: DestinationRules = {
  field: 'topic',
  escape: (value) => value.replace(/[^a-zA-Z0-9._~+%-]/gu, '_') || '_',
  refuse(topic) {
    const bad = /[^a-zA-Z0-9._~+%-]/u.exec(topic)?.[0];
    if (bad !== undefined) return `${JSON.stringify(bad)} cannot be in a topic name, only a-z A-Z 0-9 - _ . ~ + %`;
    if (!/^[a-zA-Z]/.test(topic)) return 'a topic name begins with a letter';
    if (topic.startsWith('goog')) return 'a topic name does not begin with goog';
    if (topic.length < 3 || topic.length > 255) return 'a topic name has 3 to 255 characters';
    return undefined;
  },
};

export const pubsub: AdapterType<BrokerOptions, RouteOptions> = {
  name: 'pubsub',
  brokerOptions,
  routeOptions,
  destination,
  capabilities: {
    orderedBatches: true,
    batchSize: 200,
    parallelism: 2,
    knowsDestinations: true,
    stores: true,
    deduplicates: false,
    mode: 'binary',
  },

  async create({ projectId, endpoint, credentials }, { mode }) {
    const login = { projectId, endpoint: new URL(endpoint), credentials };
    return new PubSubAdapter(await publisherClient(login), login, mode);
  },
};
