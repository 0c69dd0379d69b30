import assert from 'node:assert/strict';
import {
  assertDelivered,
  type ContractCase,
  idOf,
  never,
  pendingAfter,
  publishAll,
  withAdapter,
  within,
} from '../case.ts';
import { type Harness, isAbsent, type Received } from '../harness.ts';
import { keys, message, rounds } from '../message.ts';

export const deliveryCases: readonly ContractCase[] = [
  { name: 'everything it calls delivered can be read back, once and unchanged', run: readBack },
  { name: 'a receipt names the place where the message is', run: receipts },
  { name: 'nothing is delivered before the broker has acknowledged it', run: acknowledged },
  { name: 'messages of one key are stored in their order, over many batches', run: order },
  { name: 'takes a batch as large as it says', run: largestBatch },
  { name: 'publishes that overlap, with different keys, all arrive', run: overlap },
  { name: 'an empty batch has no outcomes', run: emptyBatch },
];

async function readBack(harness: Harness): Promise<void> {
  const [left, right] = [await harness.createDestination(), await harness.createDestination()];
  await using leftReader = await harness.read(left);
  await using rightReader = await harness.read(right);
  await withAdapter(harness, async (adapter) => {
    const messages = keys(20).map((key, i) => message({ destination: i % 2 ? left : right, key }));
    assertDelivered(await publishAll(harness, adapter, messages));
    for (const [destination, reader] of [
      [left, leftReader],
      [right, rightReader],
    ] as const) {
      const sent = messages.filter((one) => one.destination === destination);
      const found = await reader.received(sent.length);
      assert.deepEqual(found.map((one) => idOf(harness, one)).sort(), sent.map((one) => one.attributes.id).sort());
      for (const one of sent) {
        const twin = found.find((other) => idOf(harness, other) === one.attributes.id);
        assert(twin);
        assert.deepEqual(harness.decode(twin).data, JSON.parse(new TextDecoder().decode(one.data)));
        if (twin.key !== undefined) assert.equal(twin.key, one.key);
      }
    }
  });
}

async function receipts(harness: Harness): Promise<void> {
  const destination = await harness.createDestination();
  await using reader = await harness.read(destination);
  await withAdapter(harness, async (adapter) => {
    const messages = rounds(destination, keys(5), 3);
    const outcomes = await publishAll(harness, adapter, messages);
    assertDelivered(outcomes);
    const found = new Map<string, Received>();
    for (const one of await reader.received(messages.length)) found.set(idOf(harness, one), one);
    for (const [index, outcome] of outcomes.entries()) {
      const place = found.get(messages[index]?.attributes.id ?? '')?.place;
      if (place === undefined || outcome.kind !== 'delivered') continue;
      assert.deepEqual(outcome.receipt, place);
    }
  });
}

async function acknowledged(harness: Harness): Promise<void> {
  if (isAbsent(harness.process)) return;
  const { process } = harness;
  const destination = await harness.createDestination();
  await withAdapter(harness, async (adapter) => {
    assertDelivered(await publishAll(harness, adapter, [message({ destination })]));
    await process.freeze();
    let answer: ReturnType<typeof adapter.publish>;
    try {
      answer = adapter.publish([message({ destination })], never());
      assert(await pendingAfter(700, answer), 'settled while the broker could not answer');
    } finally {
      await process.thaw();
    }
    assertDelivered(await within(20_000, 'publish after the thaw', answer));
  });
}

async function order(harness: Harness): Promise<void> {
  const destination = await harness.createDestination();
  await using reader = await harness.read(destination);
  await withAdapter(harness, async (adapter) => {
    const messages = rounds(destination, keys(4), 25);
    assertDelivered(await publishAll(harness, adapter, messages));
    const found = (await reader.received(messages.length)).map((one) => harness.decode(one).attributes);
    for (const key of keys(4)) {
      const sent = messages.filter((one) => one.key === key).map((one) => one.attributes.sequence);
      const seen = found.filter((one) => one.subject === key).map((one) => String(one.sequence));
      assert.deepEqual(seen, sent, `the order of ${key}`);
    }
  });
}

async function largestBatch(harness: Harness): Promise<void> {
  const destination = await harness.createDestination();
  await using reader = await harness.read(destination);
  await withAdapter(harness, async (adapter) => {
    const messages = keys(harness.capabilities.batchSize).map((key) => message({ destination, key }));
    assertDelivered(await publishAll(harness, adapter, messages));
    assert.equal((await reader.received(messages.length)).length, messages.length);
  });
}

async function overlap(harness: Harness): Promise<void> {
  const destination = await harness.createDestination();
  await using reader = await harness.read(destination);
  await withAdapter(harness, async (adapter) => {
    const lanes = Array.from({ length: harness.capabilities.parallelism }, (_, lane) =>
      Array.from({ length: 10 }, (_, i) => message({ destination, key: `Pod/lane-${lane}/${i}` })),
    );
    const answers = lanes.map((lane) => publishAll(harness, adapter, lane));
    for (const outcomes of await Promise.all(answers)) assertDelivered(outcomes);
    const found = await reader.received(lanes.length * 10);
    const sent = lanes.flat().map((one) => one.attributes.id);
    assert.deepEqual(found.map((one) => idOf(harness, one)).sort(), sent.sort());
  });
}

async function emptyBatch(harness: Harness): Promise<void> {
  await withAdapter(harness, async (adapter) => {
    assert.deepEqual(await within(5_000, 'publish', adapter.publish([], never())), []);
  });
}
