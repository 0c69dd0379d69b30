import type { AdapterType } from '../src/adapter.ts';
import { kafka } from './kafka.ts';
import { mqtt } from './mqtt.ts';
import { nats, natsCore } from './nats.ts';
import { pubsub } from './pubsub.ts';
import { stdout } from './stdout.ts';

const types = { kafka, mqtt, nats, 'nats-core': natsCore, pubsub, stdout };

export type AdapterName = keyof typeof types;

/**
 * Every kind of broker, and the only door from the core to their SDKs, which each loads when it is first used.
 *
 * Here the types of the options are forgotten. That is safe as long as `create` is only given what `brokerOptions` and
 * `routeOptions` of the same adapter have made.
 */
export const adapterTypes: readonly AdapterType[] = Object.values(types);
