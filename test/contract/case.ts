/** What the cases of the contract share: how one is written, and how it opens an adapter as the core would. */
import assert from 'node:assert/strict';
import pino from 'pino';
import { type Adapter, ConnectionLost, type Message, type Outcome } from '../../src/adapter.ts';
import { type Harness, isAbsent, type Mode, type Received } from './harness.ts';

/** One promise of the port. `run` throws when the adapter breaks it; it is a plain function, so it can be tested too. */
export interface ContractCase {
  readonly name: string;
  run(harness: Harness): Promise<void>;
}

interface Opening {
  readonly broker?: unknown;
  readonly mode?: Mode;
  readonly signal?: AbortSignal;
}

let clients = 0;

/** Created as the core does it, from what a config file says; not connected. */
export async function create(harness: Harness, { broker, mode }: Opening = {}): Promise<Adapter> {
  const chosen = harness.routes[mode ?? harness.capabilities.mode];
  assert(!isAbsent(chosen), `${harness.name} has no ${mode} mode`);
  return harness.type.create(
    harness.type.brokerOptions.parse(broker ?? harness.broker),
    harness.type.routeOptions.parse(chosen.route),
    { clientId: `contract-${process.pid}-${++clients}`, log: pino({ level: 'silent' }) },
  );
}

/** Runs `use` with a connected adapter, and closes it whatever happens. */
export async function withAdapter<T>(
  harness: Harness,
  use: (adapter: Adapter) => Promise<T>,
  opening: Opening = {},
): Promise<T> {
  const adapter = await create(harness, opening);
  try {
    await within(20_000, 'connect', adapter.connect(opening.signal ?? never()));
    return await use(adapter);
  } finally {
    await within(5_000, 'close', adapter.close());
  }
}

/** A signal that is not going to abort. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** A generous limit for what must settle: its purpose is a clear failure in place of a hanging test. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new assert.AssertionError({ message: `${what} took over ${ms} ms` })), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether `work` is still pending after `ms`. It is a wait for something that must not happen: keep it short. */
export async function pendingAfter(ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), ms);
  const settled = work.then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([promise, settled]);
  } finally {
    clearTimeout(timer);
  }
}

/** Publishes as the core does: never two messages of one key at once unless the broker keeps their order. */
export async function publishAll(
  harness: Harness,
  adapter: Adapter,
  messages: readonly Message[],
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const batch of batches(harness, messages)) {
    const answer = await within(30_000, 'publish', adapter.publish(batch, never()));
    assert.equal(answer.length, batch.length, 'one outcome for each message');
    outcomes.push(...answer);
  }
  return outcomes;
}

function batches(harness: Harness, messages: readonly Message[]): readonly (readonly Message[])[] {
  const { batchSize, orderedBatches } = harness.capabilities;
  const whole: Message[][] = [];
  let keys = new Set<string>();
  for (const message of messages) {
    const last = whole.at(-1);
    if (last === undefined || last.length === batchSize || (!orderedBatches && keys.has(message.key))) {
      whole.push([message]);
      keys = new Set([message.key]);
    } else {
      last.push(message);
      keys.add(message.key);
    }
  }
  return whole;
}

export function assertDelivered(outcomes: readonly Outcome[]): void {
  for (const [index, outcome] of outcomes.entries()) {
    assert.equal(outcome.kind, 'delivered', `message ${index}: ${JSON.stringify(outcome)}`);
  }
}

/** The CloudEvent id of what was read back, by the harness's own decoder. */
export function idOf(harness: Harness, received: Received): string {
  return String(harness.decode(received).attributes.id);
}

export async function assertConnectionLost(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert(error instanceof ConnectionLost, `thrown instead of ConnectionLost: ${String(error)}`);
    return true;
  });
}
