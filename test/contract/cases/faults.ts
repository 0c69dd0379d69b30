import assert from 'node:assert/strict';
import { type Message, type Outcome, REASONS } from '../../../src/adapter.ts';
import { assertDelivered, type ContractCase, idOf, never, publishAll, withAdapter, within } from '../case.ts';
import { type AdapterReason, type Fault, type Harness, isAbsent } from '../harness.ts';
import { message } from '../message.ts';

/** A case for each row of the adapter's table error → outcome, and those about destinations. */
export function faultCases(harness: Harness): readonly ContractCase[] {
  const rows = Object.entries(harness.faults).flatMap(([reason, fault]) =>
    isAbsent(fault) ? [] : [fault].flat().map((one) => ({ reason: reason as AdapterReason, fault: one })),
  );
  return [
    ...rows.map(({ reason, fault }) => ({
      name: `${reason} is the verdict on ${fault.on}, and the others in its batch arrive`,
      run: (given: Harness) => mixedBatch(given, reason, fault),
    })),
    harness.capabilities.knowsDestinations
      ? { name: 'check finds the destination that is missing, and creates none', run: checkFinds }
      : { name: 'check objects to no destination, for the broker takes any', run: checkTakesAny },
  ];
}

/**
 * One bad message amidst good ones. Of its own key a later one follows where the broker keeps order within a batch: it
 * must not have been delivered.
 */
async function mixedBatch(harness: Harness, reason: AdapterReason, fault: Fault): Promise<void> {
  const destination = await harness.createDestination();
  await using reader = await harness.read(destination);
  await using scene = await fault.arrange();
  await withAdapter(harness, async (adapter) => {
    const good = ['a', 'b', 'c', 'd'].map((name) => message({ destination, key: `Pod/web/${name}` }));
    const bad = scene.spoil(message({ destination, key: 'Pod/web/bad' }));
    const later = harness.capabilities.orderedBatches ? [message({ destination: bad.destination, key: bad.key })] : [];
    const batch = [...good.slice(0, 2), bad, ...later, ...good.slice(2)];
    const outcomes = await within(30_000, 'publish', adapter.publish(batch, never()));
    assert.equal(outcomes.length, batch.length, 'one outcome for each message');
    const outcomeOf = (one: Message) => outcomes[batch.indexOf(one)];

    assertVerdict(outcomeOf(bad), reason, fault);
    for (const one of later)
      assert.notEqual(outcomeOf(one)?.kind, 'delivered', 'the order rule: a later one of its key');

    // A sibling may be asked to come again, but never for long and never with a verdict of its own.
    const again = good.filter((one) => outcomeOf(one)?.kind !== 'delivered');
    for (const one of again) assert.equal(outcomeOf(one)?.kind, 'retry', JSON.stringify(outcomeOf(one)));
    if (again.length > 0) assertDelivered(await publishAll(harness, adapter, again));
    const found = (await reader.received(good.length)).map((one) => idOf(harness, one));
    for (const one of good) assert(found.includes(one.attributes.id), 'a sibling did not arrive');
    for (const one of [bad, ...later]) assert(!found.includes(one.attributes.id), 'not delivered, yet it is there');
  });
}

function assertVerdict(outcome: Outcome | undefined, reason: AdapterReason, fault: Fault): void {
  assert(outcome, 'no outcome');
  assert(outcome.kind !== 'delivered', `delivered, on ${fault.on}`);
  assert.equal(outcome.reason, reason, outcome.detail);
  assert((REASONS[outcome.kind] as readonly string[]).includes(reason), `${reason} is no reason for ${outcome.kind}`);
  if (outcome.kind === 'reject') assert.equal(outcome.judge, fault.judge, outcome.detail);
  assert.match(outcome.detail, /^\S.{10,}$/s, 'a sentence for a person');
}

async function checkFinds(harness: Harness): Promise<void> {
  const there = await harness.createDestination();
  const missing = harness.missingDestination();
  await withAdapter(harness, async (adapter) => {
    for (const _ of ['first', 'and again: the check before has created nothing']) {
      const findings = await within(20_000, 'check', adapter.check([there, missing], never()));
      assert.deepEqual(
        findings.map(({ destination, problem }) => [destination, problem !== undefined]),
        [
          [there, false],
          [missing, true],
        ],
        JSON.stringify(findings),
      );
      assert(findings[1]?.problem?.includes(missing), 'the problem names the destination');
    }
  });
}

async function checkTakesAny(harness: Harness): Promise<void> {
  const missing = harness.missingDestination();
  await withAdapter(harness, async (adapter) => {
    const findings = await within(20_000, 'check', adapter.check([missing], never()));
    assert.deepEqual(findings, [{ destination: missing, problem: undefined }]);
    assertDelivered(await publishAll(harness, adapter, [message({ destination: missing })]));
  });
}
