import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { isProtocolError, unwrap, verdictOf } from '../../adapters/kafka-outcome.ts';

const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error');

function verdictOn(code: number) {
  const error = createErrorFromCode(code);
  if (!isProtocolError(error)) throw new Error('no protocol error');
  return verdictOf('events', error);
}

/** The rows that one healthy broker cannot be made to show; the others are cases of the contract suite. */
test.for([
  [2, 'corrupt message', 'unavailable'],
  [5, 'leader not available', 'unavailable'],
  [6, 'not leader or follower', 'unavailable'],
  [7, 'request timed out', 'timeout'],
  [9, 'replica not available', 'unavailable'],
  [19, 'not enough replicas', 'unavailable'],
  [20, 'not enough replicas after append', 'unavailable'],
  [32, 'invalid timestamp', 'unavailable'],
  [56, 'storage error', 'unavailable'],
  [89, 'a code that kafkajs does not know', 'unavailable'],
] as const)('error %i (%s) is worth another try: %s', ([code, , reason]) => {
  expect(verdictOn(code)).toMatchObject({ kind: 'retry', reason });
});

test.for([
  [18, 'record list too large', 'too-large'],
  [43, 'unsupported for message format', 'invalid-message'],
  [87, 'invalid record', 'invalid-message'],
] as const)('error %i (%s) is the verdict of the broker on the record: %s', ([code, , reason]) => {
  expect(verdictOn(code)).toMatchObject({ kind: 'reject', reason, judge: 'broker' });
});

test('the error is found beneath the wrappers of kafkajs', () => {
  const { KafkaJSNumberOfRetriesExceeded, KafkaJSNonRetriableError } = createRequire(import.meta.url)(
    'kafkajs/src/errors',
  );
  const inner = createErrorFromCode(19);
  expect(unwrap(new KafkaJSNumberOfRetriesExceeded(inner, { retryCount: 0, retryTime: 300 }))).toBe(inner);
  expect(unwrap(new KafkaJSNonRetriableError(inner, { cause: inner }))).toBe(inner);
  expect(unwrap(inner)).toBe(inner);
});
