/** A broker in memory and an honest adapter for it: what the contract suite itself is tested with. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type Adapter, type AdapterType, ConnectionLost, type Message, type Outcome } from '../../src/adapter.ts';
import type { Fault, Harness, Received } from './harness.ts';

const PASSWORD = 'open-sesame';

export class MemoryBroker {
  readonly topics = new Map<string, Received[]>();
  #frozen = Promise.withResolvers<void>();
  #dead = false;

  constructor() {
    this.#frozen.resolve();
  }

  /** Settles when the broker answers; rejects when it dies instead. */
  async answer(): Promise<void> {
    await this.#frozen.promise;
    if (this.#dead) throw new ConnectionLost('127.0.0.1:1 has gone');
  }

  freeze(): void {
    this.#frozen = Promise.withResolvers<void>();
  }

  thaw(): void {
    this.#frozen.resolve();
  }

  kill(): void {
    this.#dead = true;
    this.thaw();
  }

  start(): void {
    this.#dead = false;
  }

  store(message: Message): Outcome {
    const log = this.topics.get(message.destination);
    if (log === undefined) return { kind: 'held', reason: 'no-such-destination', detail: 'There is no such topic.' };
    log.push({ key: message.key, headers: {}, body: encoded(message), place: { offset: log.length } });
    return { kind: 'delivered', receipt: { offset: log.length - 1 } };
  }
}

function encoded({ attributes, data }: Message): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ attributes, data: JSON.parse(new TextDecoder().decode(data)) }));
}

export class MemoryAdapter implements Adapter {
  protected readonly broker: MemoryBroker;
  protected readonly password: string;
  readonly #closed = Promise.withResolvers<never>();

  constructor(broker: MemoryBroker, password: string) {
    this.broker = broker;
    this.password = password;
    this.#closed.promise.catch(() => {});
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.patient(this.broker.answer(), signal);
    if (this.password !== PASSWORD) throw new Error('127.0.0.1:1 refused the login. Check the password.');
  }

  async check(destinations: readonly string[]) {
    return destinations.map((destination) => ({
      destination,
      problem: this.broker.topics.has(destination) ? undefined : `There is no topic ${destination}.`,
    }));
  }

  async publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    await this.patient(this.broker.answer(), signal);
    const failed = new Set<string>();
    return batch.map((message) => {
      if (failed.has(message.key)) return { kind: 'retry', reason: 'sibling-failed', detail: 'Behind another one.' };
      const outcome = this.broker.store(message);
      if (outcome.kind !== 'delivered') failed.add(message.key);
      return outcome;
    });
  }

  async close(): Promise<void> {}

  protected patient<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    signal.addEventListener('abort', () => aborted.reject(signal.reason));
    const aborted = Promise.withResolvers<never>();
    return Promise.race([work, aborted.promise]);
  }
}

export type MemoryAdapterClass = new (broker: MemoryBroker, password: string) => MemoryAdapter;

export function memoryHarness(Implementation: MemoryAdapterClass = MemoryAdapter): Harness {
  const broker = new MemoryBroker();
  const never = { absent: 'memory has no such trouble' };
  const missing: Fault = {
    on: 'a topic that is not there',
    arrange: async () => ({
      spoil: (message) => ({ ...message, destination: randomUUID() }),
      async [Symbol.asyncDispose]() {},
    }),
  };
  const type: AdapterType<string, string> = {
    name: 'memory',
    brokerOptions: z.string(),
    routeOptions: z.string(),
    destination: {
      field: 'topic',
      escape: (value) => value.replace(/[^a-z]/gu, '_') || '_',
      refuse: (topic) => (/^[\w-]+$/.test(topic) ? undefined : 'only letters, digits, _ and -'),
    },
    capabilities: {
      orderedBatches: true,
      batchSize: 10,
      parallelism: 2,
      knowsDestinations: true,
      stores: true,
      deduplicates: false,
      mode: 'binary',
    },
    create: async (password) => new Implementation(broker, password),
  };
  return {
    name: 'memory',
    type,
    capabilities: type.capabilities,
    broker: PASSWORD,
    routes: { binary: { route: '' }, structured: never },
    wrongPassword: { broker: 'wrong-one', secret: 'wrong-one' },
    address: '127.0.0.1:1',
    process: {
      freeze: async () => broker.freeze(),
      thaw: async () => broker.thaw(),
      kill: async () => broker.kill(),
      start: async () => broker.start(),
    },
    faults: {
      'no-such-destination': missing,
      'not-authorized': never,
      'destination-full': never,
      throttled: never,
      unavailable: never,
      timeout: never,
      'too-large': never,
      'invalid-destination': never,
      'invalid-message': never,
    },
    async createDestination() {
      const topic = randomUUID();
      broker.topics.set(topic, []);
      return topic;
    },
    missingDestination: () => randomUUID(),
    read: async (topic) => ({
      async received(count) {
        const found = broker.topics.get(topic) ?? [];
        if (found.length < count) throw new Error(`${found.length} of ${count} messages`);
        return found;
      },
      async [Symbol.asyncDispose]() {},
    }),
    decode: ({ body }) => JSON.parse(new TextDecoder().decode(body)),
    async [Symbol.asyncDispose]() {},
  };
}
