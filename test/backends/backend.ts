/**
 * How a test gets a real backend; README.md tells where they come from.
 *
 * `backend('kafka')` gives the address of the one that the whole run shares, or null where this machine has none (the
 * set-up has said so, and with REQUIRE_BACKENDS=1 the run has failed): `describe.skipIf(backend('kafka') === null)`.
 * Call it in the test file itself: the set-up starts only what the files of the run name.
 *
 * A test that kills or starves its backend starts one of its own, as a program on this machine:
 * `await using kafka = await startKafka();`. What it holds is gone when it is disposed of.
 */
import { inject } from 'vitest';
import type { KafkaAddress } from './kafka.ts';
import type { KubeAddress } from './kube.ts';
import type { MosquittoAddress } from './mosquitto.ts';
import type { NatsAddress } from './nats.ts';
import type { PubSubAddress } from './pubsub.ts';

export interface Addresses {
  readonly kafka: KafkaAddress;
  readonly mosquitto: MosquittoAddress;
  readonly nats: NatsAddress;
  readonly pubsub: PubSubAddress;
  readonly kube: KubeAddress;
}
export type BackendName = keyof Addresses;

type Provided = { readonly [Name in BackendName]: Addresses[Name] | null };

declare module 'vitest' {
  export interface ProvidedContext extends Provided {}
}

export function backend<Name extends BackendName>(name: Name): Provided[Name] {
  const provided: Provided[Name] | undefined = inject(name);
  if (provided === undefined)
    throw new Error(`${name} was not started: no test file of this run says backend('${name}').`);
  return provided;
}
