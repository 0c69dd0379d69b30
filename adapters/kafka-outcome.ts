import type { Destination } from '../src/adapter.ts';
import type { Refusal } from './in-order.ts';

type Verdict = (topic: Destination) => Refusal;

const unavailable =
  (why: string): Verdict =>
  (topic) => ({ kind: 'retry', reason: 'unavailable', detail: `Kafka cannot store in topic ${topic} now: ${why}.` });

const notAuthorized: Verdict = (topic) => ({
  kind: 'held',
  reason: 'not-authorized',
  detail: `Kafka does not let this user write to topic ${topic}. It needs the permissions Describe and Write on it.`,
});

const invalid =
  (why: string): Verdict =>
  (topic) => ({
    kind: 'reject',
    reason: 'invalid-message',
    detail: `Kafka refuses the record for topic ${topic}: ${why}.`,
    judge: 'broker',
  });

const tooLarge: Verdict = (topic) => ({
  kind: 'reject',
  reason: 'too-large',
  detail: `Kafka refuses the record for topic ${topic} as larger than its max.message.bytes.`,
  judge: 'broker',
});

/** The broker's error codes, by kafkajs's names for them: https://kafka.apache.org/protocol#protocol_error_codes */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  UNKNOWN_TOPIC_OR_PARTITION: (topic) => ({
    kind: 'held',
    reason: 'no-such-destination',
    detail: `Kafka has no topic ${topic}, or does not show it to this user. Create it, or grant Describe on it.`,
  }),
  INVALID_TOPIC_EXCEPTION: (topic) => ({
    kind: 'reject',
    reason: 'invalid-destination',
    detail: `Kafka takes no topic of the name ${topic}.`,
    judge: 'broker',
  }),
  TOPIC_AUTHORIZATION_FAILED: notAuthorized,
  CLUSTER_AUTHORIZATION_FAILED: notAuthorized,
  MESSAGE_TOO_LARGE: tooLarge,
  RECORD_LIST_TOO_LARGE: tooLarge,
  INVALID_RECORD: invalid('it does not fit what the topic demands of its records'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: invalid('the format of the topic is older than Kafka 0.11 and has no headers'),
  REQUEST_TIMED_OUT: (topic) => ({
    kind: 'retry',
    reason: 'timeout',
    detail: `The replicas of Kafka topic ${topic} did not confirm in time.`,
  }),
  // The time is that of the sending, so it says something of the clocks, and nothing of the record.
  INVALID_TIMESTAMP: unavailable('the clocks of this machine and of the broker are too far apart. Set them right'),
  CORRUPT_MESSAGE: unavailable('the request arrived damaged'),
  LEADER_NOT_AVAILABLE: unavailable('a partition has no leader'),
  NOT_LEADER_FOR_PARTITION: unavailable('a partition has another leader now'),
  REPLICA_NOT_AVAILABLE: unavailable('a replica is missing'),
  NOT_ENOUGH_REPLICAS: unavailable('fewer replicas are in sync than its min.insync.replicas demands'),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: unavailable('fewer replicas are in sync than its min.insync.replicas demands'),
  KAFKA_STORAGE_ERROR: unavailable('a disk of the broker fails'),
};

/**
 * The verdict on a topic's records that the broker gave by an error code. A code that we do not know is never held
 * against the records: they are sent again.
 */
export function verdictOf(topic: Destination, { type, message }: KafkaProtocolError): Refusal {
  return (VERDICTS[type] ?? unavailable(message))(topic);
}

export function tooLargeFor(topic: Destination, maxBytes: number): Refusal {
  const detail = `The record is larger than the max.message.bytes of Kafka topic ${topic}, which is ${maxBytes}.`;
  return { kind: 'reject', reason: 'too-large', detail, judge: 'adapter' };
}

/** Nothing is known against the records: only that they are not stored. */
export function notStored(topic: Destination, error: unknown): Refusal {
  const why = error instanceof Error ? error.message : String(error);
  return { kind: 'retry', reason: 'unavailable', detail: `Kafka did not store in topic ${topic}: ${why}` };
}

/** Verdicts that kafkajs passes on although they may be about another topic that it asked for in the same breath. */
export function maybeAboutAnotherTopic({ type }: KafkaProtocolError): boolean {
  return (
    type === 'UNKNOWN_TOPIC_OR_PARTITION' ||
    type === 'INVALID_TOPIC_EXCEPTION' ||
    type === 'TOPIC_AUTHORIZATION_FAILED' ||
    type === 'LEADER_NOT_AVAILABLE'
  );
}

export interface KafkaProtocolError extends Error {
  readonly type: string;
}

/** kafkajs wraps every error in one that says how often it tried, which is once. */
export function unwrap(error: unknown): unknown {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error;
  return error.name === 'KafkaJSNumberOfRetriesExceeded' || error.name === 'KafkaJSNonRetriableError'
    ? unwrap(error.cause)
    : error;
}

/** The request was sent and nothing came back, for as long as kafkajs waits. */
export function hasTimedOut(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSRequestTimeoutError';
}

export function isProtocolError(error: unknown): error is KafkaProtocolError {
  return error instanceof Error && error.name === 'KafkaJSProtocolError' && 'type' in error;
}
