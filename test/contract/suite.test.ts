/** The contract suite, tested: an honest adapter passes, and each way to lie fails the case that is there for it. */
import { expect, test } from 'vitest';
import { ConnectionLost, type Message, type Outcome } from '../../src/adapter.ts';
import { MemoryAdapter, type MemoryAdapterClass, memoryHarness } from './memory.ts';
import { adapterContract, contractCases } from './suite.ts';

adapterContract(memoryHarness());

const delivered: Outcome = { kind: 'delivered', receipt: { offset: 0 } };

class AcknowledgesEarly extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    const answer = super.publish(batch, signal);
    return Promise.race([
      answer,
      new Promise<Outcome[]>((resolve) =>
        setImmediate(
          resolve,
          batch.map(() => delivered),
        ),
      ),
    ]);
  }
}

class DropsOne extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    return [delivered, ...(await super.publish(batch.slice(1), signal))];
  }
}

class StoresTwice extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    await super.publish(batch, signal);
    return super.publish(batch, signal);
  }
}

class Reorders extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    return (await super.publish(batch.toReversed(), signal)).toReversed();
  }
}

class AnswersShort extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    return (await super.publish(batch, signal)).slice(1);
  }
}

class AnswersInTheWrongOrder extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    return (await super.publish(batch, signal)).toReversed();
  }
}

class PointsElsewhere extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    return (await super.publish(batch, signal)).map((one) => (one.kind === 'delivered' ? delivered : one));
  }
}

class GoesOnBehindAFailure extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    const outcomes: Outcome[] = [];
    for (const message of batch) outcomes.push(...(await super.publish([message], signal)));
    const failed = outcomes.find((one) => one.kind !== 'delivered');
    return failed ? [...outcomes.slice(0, 3), delivered, ...outcomes.slice(4)] : outcomes;
  }
}

class BlamesTheSiblings extends MemoryAdapter {
  override async publish(batch: readonly Message[], signal: AbortSignal) {
    const outcomes = await super.publish(batch, signal);
    const failed = outcomes.find((one) => one.kind !== 'delivered');
    return failed ? batch.map(() => failed) : outcomes;
  }
}

class HangsOnAbort extends MemoryAdapter {
  protected override patient<T>(work: Promise<T>): Promise<T> {
    return work;
  }
}

class NeverCloses extends MemoryAdapter {
  override close() {
    return new Promise<never>(() => {});
  }
}

class CallsALostConnectionARetry extends MemoryAdapter {
  override publish(batch: readonly Message[], signal: AbortSignal) {
    return super.publish(batch, signal).catch((error) => {
      if (!(error instanceof ConnectionLost)) throw error;
      return batch.map((): Outcome => ({ kind: 'retry', reason: 'unavailable', detail: 'It was not to be reached.' }));
    });
  }
}

class ShowsThePassword extends MemoryAdapter {
  override connect(signal: AbortSignal) {
    return super.connect(signal).catch((error) => {
      throw new Error(`${error.message} It was ${this.password}.`);
    });
  }
}

class ChecksNothing extends MemoryAdapter {
  override async check(destinations: readonly string[]) {
    return destinations.map((destination) => ({ destination, problem: undefined }));
  }
}

class CreatesWhatIsMissing extends MemoryAdapter {
  override async check(destinations: readonly string[]) {
    const findings = await super.check(destinations);
    for (const destination of destinations) this.broker.topics.set(destination, []);
    return findings;
  }
}

class CutsTheAttributes extends MemoryAdapter {
  override publish(batch: readonly Message[], signal: AbortSignal) {
    const cut = (text: string | undefined) => (text ?? '').slice(0, 100);
    return super.publish(
      batch.map((one) => ({ ...one, attributes: { ...one.attributes, reason: cut(one.attributes.reason) } })),
      signal,
    );
  }
}

const lies: readonly (readonly [MemoryAdapterClass, RegExp])[] = [
  [AcknowledgesEarly, /nothing is delivered before/],
  [DropsOne, /can be read back/],
  [StoresTwice, /can be read back/],
  [Reorders, /stored in their order/],
  [AnswersShort, /takes a batch as large/],
  [AnswersInTheWrongOrder, /a receipt names the place/],
  [PointsElsewhere, /a receipt names the place/],
  [GoesOnBehindAFailure, /is the verdict on a topic that is not there/],
  [BlamesTheSiblings, /is the verdict on a topic that is not there/],
  [HangsOnAbort, /an abort ends a publish/],
  [HangsOnAbort, /an abort ends a connect/],
  [NeverCloses, /close releases everything, whatever/],
  [CallsALostConnectionARetry, /death of the broker/],
  [ShowsThePassword, /a refused login/],
  [ChecksNothing, /check finds/],
  [CreatesWhatIsMissing, /check finds/],
  [CutsTheAttributes, /independent decoder/],
];

for (const [Liar, name] of lies) {
  test.concurrent(`an adapter that ${words(Liar.name)} fails the case "${name.source}"`, async () => {
    const harness = memoryHarness(Liar);
    const [found, ...others] = contractCases(harness).filter((one) => name.test(one.name));
    expect([found?.name, others]).toEqual([expect.any(String), []]);
    await expect(found?.run(harness)).rejects.toThrow();
  });
}

/** `DropsOne` as `drops one`. */
function words(className: string): string {
  return className.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
}
