import { expect, test } from 'vitest';
import { outcomeOfApiError } from '../../adapters/nats-outcome.ts';

test.for([
  [10002, 'held', 'destination-full'],
  [10023, 'held', 'destination-full'],
  [10028, 'held', 'destination-full'],
  [10035, 'held', 'not-authorized'],
  [10039, 'held', 'not-authorized'],
  [10047, 'held', 'destination-full'],
  [10054, 'reject', 'too-large'],
  [10059, 'held', 'no-such-destination'],
  [10077, 'held', 'destination-full'],
  [10097, 'reject', 'too-large'],
  [10109, 'held', 'destination-full'],
  [10167, 'retry', 'throttled'],
  [10008, 'retry', 'unavailable'],
  [10009, 'retry', 'unavailable'],
  [10158, 'retry', 'unavailable'],
  [99999, 'retry', 'unavailable'],
] as const)('JetStream’s error %i is %s, %s', ([code, kind, reason]) => {
  const outcome = outcomeOfApiError(code, 'its own words', 'k8s.web');
  expect(outcome).toMatchObject({ kind, reason });
  expect(outcome).toHaveProperty('detail', `JetStream refused subject k8s.web: its own words (${code}).`);
  if (outcome.kind === 'reject') expect(outcome.judge).toBe('broker');
});
