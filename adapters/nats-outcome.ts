/** What JetStream's answers to a publish mean for the message. The codes: nats-server, server/errors.json. */
import type { HeldReason, Outcome, RejectReason, RetryReason } from '../src/adapter.ts';

type Verdict = (detail: string) => Outcome;

export const retry =
  (reason: RetryReason): Verdict =>
  (detail) => ({ kind: 'retry', reason, detail });
export const held =
  (reason: HeldReason): Verdict =>
  (detail) => ({ kind: 'held', reason, detail });
const reject =
  (reason: RejectReason): Verdict =>
  (detail) => ({ kind: 'reject', reason, detail, judge: 'broker' });

const VERDICTS: Readonly<Record<number, Verdict>> = {
  10002: held('destination-full'), // resource limits of the account exceeded
  10023: held('destination-full'), // insufficient resources
  10028: held('destination-full'), // insufficient memory
  10035: held('not-authorized'), // account not found
  10039: held('not-authorized'), // JetStream not enabled for the account
  10047: held('destination-full'), // insufficient storage
  10054: reject('too-large'), // over the stream's max_msg_size
  10059: held('no-such-destination'), // stream not found
  10077: held('destination-full'), // not stored: over the stream's limits with discard new, or the disk is full
  10097: reject('too-large'), // over 64 KiB of headers
  10109: held('destination-full'), // sealed
  10167: retry('throttled'), // too many requests
};

/** The verdict on an error in the place of a PubAck. What is not in the table may pass: leaders move, clusters form. */
export function outcomeOfApiError(code: number, description: string, subject: string): Outcome {
  const verdict = VERDICTS[code] ?? retry('unavailable');
  return verdict(`JetStream refused subject ${subject}: ${description} (${code}).`);
}

export function notAuthorized(subject: string): Outcome {
  return held('not-authorized')(`NATS does not let this login publish to ${subject}: allow it in its permissions.`);
}

/** Judged before it is sent, for the server would close the connection. */
export function tooLarge(bytes: number, limit: number): Outcome {
  const detail = `The message has ${bytes} bytes with its headers; the NATS server takes ${limit} (max_payload).`;
  return { kind: 'reject', reason: 'too-large', detail, judge: 'adapter' };
}
