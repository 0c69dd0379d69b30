import { JetStreamApiCodes, JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { NoRespondersError, PermissionViolationError, TimeoutError } from '@nats-io/transport-node';
import { z } from 'zod';
import {
  type Adapter,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
} from '../src/adapter.ts';
import { Acks } from './nats-acks.ts';
import { headerValue, type NatsMode, natsEvent, payloadBytes } from './nats-event.ts';
import type { NatsLink } from './nats-link.ts';
import { held, notAuthorized, outcomeOfApiError, retry, tooLarge } from './nats-outcome.ts';
import { natsSubject } from './nats-subject.ts';
import { networkProblem } from './network-problem.ts';

const PUBLISH_TIMEOUT_MS = 10_000;
const LOOKUP_TIMEOUT_MS = 5_000;

/** JetStream's answer to a publish: https://docs.nats.io/reference/reference-protocols/nats_api_reference#publishing */
const refusal = z.object({
  error: z.object({ err_code: z.int().default(0), description: z.string().default('without a reason') }),
});
const pubAck = z.object({
  stream: z.string().min(1),
  seq: z.int().positive(),
  duplicate: z.boolean().default(false),
});
/** A refusal first: whatever else stands beside an error, nothing was stored. */
const answer = z.union([refusal, pubAck]);

interface Sdk {
  readonly acks: Acks;
  readonly manager: JetStreamManager;
}

/** Publishes into JetStream. What its errors mean is told in nats.ts. */
export class JetStreamAdapter implements Adapter {
  readonly #link: NatsLink;
  readonly #mode: NatsMode;
  #sdk: Sdk | undefined;
  /** Under way: one question for all messages of a subject that nobody answered for. */
  readonly #lookups = new Map<Destination, Promise<Outcome>>();

  constructor(link: NatsLink, mode: NatsMode) {
    this.#link = link;
    this.#mode = mode;
  }

  async connect(signal: AbortSignal): Promise<void> {
    const connection = await this.#link.connect(signal);
    const acks = new Acks(connection, PUBLISH_TIMEOUT_MS);
    // Before anything is published: what nobody hears of would be stored again and again.
    await this.#link.underWay.run(() => acks.listen(), signal).catch(unheard);
    // A login that may publish need not be allowed to ask about its account.
    const manager = await jetstreamManager(connection, { timeout: LOOKUP_TIMEOUT_MS, checkAPI: false });
    this.#sdk = { acks, manager };
  }

  check(destinations: readonly Destination[], signal: AbortSignal): Promise<readonly Finding[]> {
    const find = async (destination: Destination): Promise<Finding> => {
      const refused = natsSubject.refuse(destination);
      if (refused !== undefined) return { destination, problem: refused };
      const found = await this.#streamOf(destination);
      const problem = typeof found === 'object' && found.kind !== 'delivered' ? found.detail : undefined;
      return { destination, problem };
    };
    return this.#link.underWay.run(() => Promise.all(destinations.map(find)), signal);
  }

  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#link.underWay.run(() => Promise.all(batch.map((message) => this.#publish(message))), signal);
  }

  close(): Promise<void> {
    this.#sdk?.acks.close();
    return this.#link.close();
  }

  async #publish(message: Message): Promise<Outcome> {
    const { destination, deduplicationId } = message;
    const id = { 'Nats-Msg-Id': headerValue(deduplicationId) };
    const event = natsEvent(message, this.#mode, id);
    const bytes = payloadBytes(event);
    if (bytes > this.#link.maxPayload) return tooLarge(bytes, this.#link.maxPayload);
    try {
      const { acks } = this.#connected;
      const said = answer.parse((await acks.publish(destination, event.body, event.headers)).json());
      if (!('error' in said)) return { kind: 'delivered', receipt: said };
      return outcomeOfApiError(said.error.err_code, said.error.description, destination);
    } catch (error) {
      return this.#verdict(error, destination);
    }
  }

  async #verdict(error: unknown, subject: Destination): Promise<Outcome> {
    const root = rootOf(error);
    if (root instanceof JetStreamApiError) return outcomeOfApiError(root.code, root.message, subject);
    if (root instanceof PermissionViolationError) return notAuthorized(subject);
    if (root instanceof TimeoutError)
      return retry('timeout')(`JetStream gave no answer for subject ${subject} in time.`);
    if (root instanceof NoRespondersError) return this.#unanswered(subject);
    // Whoever subscribes to the subject may answer before JetStream does, in JSON or not.
    if (root instanceof z.ZodError || root instanceof SyntaxError) {
      return held('no-such-destination')(`What answers for subject ${subject} is not JetStream: no PubAck came.`);
    }
    throw new ConnectionLost(`A publish to NATS failed: ${networkProblem(root)}.`, { cause: error });
  }

  #unanswered(subject: Destination): Promise<Outcome> {
    const ask = async () => {
      const found = await this.#streamOf(subject);
      if (typeof found === 'object') return found;
      if (found === undefined) return held('no-such-destination')(`No stream seems to take subject ${subject}.`);
      return retry('unavailable')(`Stream ${found} takes subject ${subject} but does not answer: has it a leader?`);
    };
    const lookup = this.#lookups.get(subject) ?? ask().finally(() => this.#lookups.delete(subject));
    this.#lookups.set(subject, lookup);
    return lookup;
  }

  /**
   * The stream that takes the subject, or what to make of it when none does; undefined when this login may not ask.
   * "No responders" alone may also mean that the stream has no leader or that all of JetStream is gone for the moment.
   */
  async #streamOf(subject: Destination): Promise<string | Outcome | undefined> {
    try {
      return await this.#connected.manager.streams.find(subject);
    } catch (error) {
      const root = rootOf(error);
      if (root instanceof PermissionViolationError) return undefined;
      if (root instanceof NoRespondersError) {
        return retry('unavailable')(`JetStream does not answer for subject ${subject}: it starts, or is not enabled.`);
      }
      if (root instanceof JetStreamApiError && root.code === JetStreamApiCodes.StreamNotFound) {
        // Not as a command to paste: whoever may write an Event may have written parts of the subject.
        return held('no-such-destination')(
          `No stream takes subject ${subject}: add one, or add it to a stream's subjects.`,
        );
      }
      return this.#verdict(error, subject);
    }
  }

  get #connected(): Sdk {
    if (!this.#sdk) throw new Error('used before connect');
    return this.#sdk;
  }
}

function unheard(error: unknown): never {
  if (!(error instanceof PermissionViolationError)) throw error;
  const why =
    'NATS does not let this login subscribe to _INBOX.>, where JetStream answers: allow it in its permissions.';
  throw new Error(why, { cause: error });
}

/** What happened, which nats.js wraps up to twice. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
