import type { Refusal } from './in-order.ts';

/** https://grpc.io/docs/guides/status-codes/ */
export const STATUS = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export interface StatusError extends Error {
  readonly code: number;
  readonly details: string;
}

export function isStatusError(error: unknown): error is StatusError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** The verdict on all messages of a request, once it is clear that the service itself has answered. */
export function verdictOf(topic: string, { code, details }: StatusError): Refusal {
  switch (code) {
    case STATUS.notFound:
      return { kind: 'held', reason: 'no-such-destination', detail: missingTopic(topic) };
    case STATUS.permissionDenied:
      return { kind: 'held', reason: 'not-authorized', detail: forbiddenTopic(topic) };
    case STATUS.invalidArgument: {
      const detail = `Pub/Sub refuses the message for topic ${topic}: ${details}`;
      return { kind: 'reject', reason: 'invalid-message', detail, judge: 'broker' };
    }
    case STATUS.resourceExhausted: {
      const detail = `Pub/Sub's quota for topic ${topic} is used up: ${details}`;
      return { kind: 'retry', reason: 'throttled', detail };
    }
    case STATUS.deadlineExceeded:
      return { kind: 'retry', reason: 'timeout', detail: `Pub/Sub did not store in topic ${topic} in time.` };
    default: {
      const detail = `Pub/Sub cannot store in topic ${topic} now, status ${code}: ${details}`;
      return { kind: 'retry', reason: 'unavailable', detail };
    }
  }
}

export function missingTopic(topic: string): string {
  return `There is no topic ${topic}. Create it, or mend the name or the projectId.`;
}

export function forbiddenTopic(topic: string): string {
  return `These credentials may not publish to topic ${topic}. They need the role roles/pubsub.publisher on it.`;
}
