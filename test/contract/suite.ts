import { afterAll, describe, test } from 'vitest';
import type { ContractCase } from './case.ts';
import { deliveryCases } from './cases/delivery.ts';
import { envelopeCases } from './cases/envelope.ts';
import { faultCases } from './cases/faults.ts';
import { lifecycleCases } from './cases/lifecycle.ts';
import type { Harness } from './harness.ts';

/** Every promise of the port that this adapter makes by its capabilities, as functions that throw. */
export function contractCases(harness: Harness): readonly ContractCase[] {
  return [...deliveryCases, ...faultCases(harness), ...envelopeCases(harness), ...lifecycleCases(harness)];
}

/** Holds an adapter against its contract, on the broker that the harness has started and that is stopped at the end. */
export function adapterContract(harness: Harness): void {
  describe(`the ${harness.name} adapter keeps the contract:`, () => {
    afterAll(() => harness[Symbol.asyncDispose]());
    for (const { name, run } of contractCases(harness)) test(name, () => run(harness));
  });
}
