import assert from 'node:assert/strict';
import type { Adapter, Message } from '../../../src/adapter.ts';
import {
  assertConnectionLost,
  assertDelivered,
  type ContractCase,
  create,
  never,
  pendingAfter,
  publishAll,
  withAdapter,
  within,
} from '../case.ts';
import { type BrokerProcess, type Harness, isAbsent } from '../harness.ts';
import { message } from '../message.ts';

/** "Within a second or two", and then some for a busy machine. */
const SOON_MS = 3_000;

export function lifecycleCases(harness: Harness): readonly ContractCase[] {
  const cases: ContractCase[] = [
    { name: 'close releases everything, whatever the connection is doing', run: closeIdle },
    { name: 'close before connect is harmless', run: closeUnconnected },
  ];
  if (!isAbsent(harness.process)) {
    const broker = harness.process;
    const on = (run: (harness: Harness, broker: BrokerProcess) => Promise<void>) => (given: Harness) =>
      run(given, broker);
    cases.push(
      { name: 'an abort ends a publish that the broker does not answer', run: on(abortPublish) },
      { name: 'an abort ends a connect that the broker does not answer', run: on(abortConnect) },
      { name: 'close releases everything while the broker does not answer', run: on(closeFrozen) },
      {
        name: 'the death of the broker in mid-publish is a lost connection, and a new adapter goes on',
        run: on(death),
      },
    );
  }
  if (!isAbsent(harness.wrongPassword)) {
    cases.push({ name: 'a refused login says what to do and shows no secret', run: wrongPassword });
  }
  return cases;
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TCPWRAP').length;
}

/** Sockets end in a later turn of the event loop than the call that ends them. */
async function assertReleased(before: number): Promise<void> {
  const deadline = Date.now() + SOON_MS;
  while (sockets() > before && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(sockets(), before, 'sockets are left open');
}

async function closeIdle(harness: Harness): Promise<void> {
  const destination = await harness.createDestination();
  const before = sockets();
  const adapter = await create(harness);
  await adapter.connect(never());
  assertDelivered(await publishAll(harness, adapter, [message({ destination })]));
  await within(SOON_MS, 'close', adapter.close());
  await assertReleased(before);
}

async function closeUnconnected(harness: Harness): Promise<void> {
  const adapter = await create(harness);
  await within(SOON_MS, 'close', adapter.close());
}

async function abortPublish(harness: Harness, broker: BrokerProcess): Promise<void> {
  const destination = await harness.createDestination();
  await withAdapter(harness, async (adapter) => {
    assertDelivered(await publishAll(harness, adapter, [message({ destination })]));
    await broker.freeze();
    try {
      const stop = new AbortController();
      const answer = adapter.publish([message({ destination })], stop.signal);
      assert(await pendingAfter(100, answer), 'settled while the broker could not answer');
      stop.abort(new Error('stopped'));
      await within(SOON_MS, 'the end of the aborted publish', assert.rejects(answer));
    } finally {
      await broker.thaw();
    }
  });
}

async function abortConnect(harness: Harness, broker: BrokerProcess): Promise<void> {
  const before = sockets();
  await broker.freeze();
  try {
    const adapter = await create(harness);
    const stop = new AbortController();
    const connected = adapter.connect(stop.signal);
    assert(await pendingAfter(100, connected), 'connected to a broker that does not answer');
    stop.abort(new Error('stopped'));
    await within(SOON_MS, 'the end of the aborted connect', assert.rejects(connected));
    await within(SOON_MS, 'close', adapter.close());
    await assertReleased(before);
  } finally {
    await broker.thaw();
  }
}

async function closeFrozen(harness: Harness, broker: BrokerProcess): Promise<void> {
  const destination = await harness.createDestination();
  const before = sockets();
  const adapter = await create(harness);
  await adapter.connect(never());
  await broker.freeze();
  try {
    const answer = adapter.publish([message({ destination })], never()).catch(() => 'rejected');
    assert(await pendingAfter(100, answer), 'settled while the broker could not answer');
    await within(SOON_MS, 'close', adapter.close());
    await assertReleased(before);
  } finally {
    await broker.thaw();
  }
}

async function death(harness: Harness, broker: BrokerProcess): Promise<void> {
  const destination = await harness.createDestination();
  const adapter = await create(harness);
  try {
    await adapter.connect(never());
    assertDelivered(await publishAll(harness, adapter, [message({ destination })]));
    await broker.freeze();
    const answer = adapter.publish([message({ destination })], never());
    answer.catch(() => {});
    assert(await pendingAfter(100, answer), 'settled while the broker could not answer');
    await broker.kill();
    await assertConnectionLost(within(20_000, 'publish to a dead broker', answer));
    await within(SOON_MS, 'close with the broker gone', adapter.close());
    await unreachable(harness);
  } finally {
    await broker.start();
  }
  await withAdapter(harness, (next) => goesOn(harness, next, message({ destination })));
}

/** A broker that has just come back may ask for patience, and for nothing else. */
async function goesOn(harness: Harness, adapter: Adapter, one: Message): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const [outcome] = await publishAll(harness, adapter, [one]);
    if (outcome?.kind !== 'retry' || Date.now() > deadline) return assertDelivered(outcome ? [outcome] : []);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function unreachable(harness: Harness): Promise<void> {
  const { address } = harness;
  if (typeof address !== 'string') return;
  const adapter = await create(harness);
  await assert.rejects(within(20_000, 'connect to a dead broker', adapter.connect(never())), (error) => {
    assert(error instanceof Error && error.message.includes(address), `names no address: ${String(error)}`);
    return true;
  });
  await within(SOON_MS, 'close after a failed connect', adapter.close());
}

async function wrongPassword(harness: Harness): Promise<void> {
  const { wrongPassword } = harness;
  assert(!isAbsent(wrongPassword));
  const adapter = await create(harness, { broker: wrongPassword.broker });
  try {
    await assert.rejects(within(20_000, 'connect', adapter.connect(never())), (error) => {
      assert(error instanceof Error);
      assert.match(error.message, /password|credentials|token|key/i, 'says what to check');
      for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
        assert(!`${cause.message} ${cause.stack}`.includes(wrongPassword.secret), 'shows the secret');
      }
      return true;
    });
  } finally {
    await within(SOON_MS, 'close', adapter.close());
  }
}
