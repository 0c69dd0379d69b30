/** What the reason codes of MQTT mean for a message and for a connection: MQTT 5, 2.4; MQTT 3.1.1, 3.2.2.3. */
import type { Outcome } from '../src/adapter.ts';
import { networkProblem } from './network-problem.ts';

const WORDS: Readonly<Record<number, string>> = {
  0: 'success',
  16: 'no matching subscribers',
  128: 'unspecified error',
  131: 'implementation specific error',
  135: 'not authorized',
  139: 'server shutting down',
  142: 'session taken over by a client of the same id',
  144: 'topic name invalid',
  149: 'packet too large',
  151: 'quota exceeded',
  153: 'payload format invalid',
};

const SILENT = 'it closed the connection without an answer; does that port expect TLS, or none?';

function words(code: number): string {
  return `${WORDS[code] ?? 'reason code'} (${code})`;
}

/** The verdict of an MQTT 5 PUBACK. A quota is one of rate or memory wherever it is in use, and passes by itself. */
export function outcomeOfPuback(reasonCode: number, topic: string): Outcome {
  const detail = `The MQTT broker answered for topic ${topic}: ${words(reasonCode)}.`;
  switch (reasonCode) {
    case 0:
    case 16:
      return { kind: 'delivered', receipt: { topic, reasonCode, reason: WORDS[reasonCode] ?? '' } };
    case 135:
      return {
        kind: 'held',
        reason: 'not-authorized',
        detail: `${detail} Let its ACL allow this user to write there.`,
      };
    case 144:
      return { kind: 'reject', reason: 'invalid-destination', detail, judge: 'broker' };
    case 153:
      return { kind: 'reject', reason: 'invalid-message', detail, judge: 'broker' };
    case 151:
      return { kind: 'retry', reason: 'throttled', detail };
    default:
      return { kind: 'retry', reason: 'unavailable', detail };
  }
}

/** The reason code that mqtt.js puts on an error, when the broker gave one. */
export function reasonCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

/** Why the CONNECT was refused, or never answered: then there is no error, or the network's. */
export function explainRefusal(url: string, username: string | undefined, error: unknown): string {
  const broker = `The MQTT broker at ${url}`;
  const code = reasonCodeOf(error);
  const silent = error === undefined || (error instanceof Error && 'code' in error && error.code === 'ECONNRESET');
  switch (code) {
    case undefined:
      return `Cannot reach the MQTT broker at ${url}: ${silent ? SILENT : networkProblem(error)}.`;
    case 1:
    case 132:
      return `${broker} does not speak this version of MQTT: say protocolVersion: 4 for MQTT 3.1.1, or 5.`;
    case 4:
    case 5:
    case 134:
    case 135:
      return `${broker} refused the login ${username ? `of ${username}` : 'without a username'}: check username and password.`;
    default:
      return `${broker} refused the connection: ${networkProblem(error)}.`;
  }
}

/** Why a connection that stood has ended. `reasonCode` is that of the broker's DISCONNECT. */
export function explainLoss(url: string, cause: { readonly error?: unknown; readonly reasonCode?: number }): string {
  const { error, reasonCode } = cause;
  const reason = reasonCode !== undefined ? words(reasonCode) : error ? networkProblem(error) : 'it was closed';
  return `Lost the connection to the MQTT broker at ${url}: ${reason}.`;
}
