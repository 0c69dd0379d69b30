import { setImmediate as turn } from 'node:timers/promises';
import { PermissionViolationError } from '@nats-io/transport-node';
import type { Adapter, Destination, Finding, Message, Outcome, Receipt } from '../src/adapter.ts';
import { type NatsMode, natsEvent, payloadBytes } from './nats-event.ts';
import type { NatsLink } from './nats-link.ts';
import { notAuthorized, tooLarge } from './nats-outcome.ts';
import { natsSubject } from './nats-subject.ts';

/** Publishes to whoever subscribes at the moment. What its errors mean is told in nats.ts. */
export class CoreNatsAdapter implements Adapter {
  readonly #link: NatsLink;
  readonly #mode: NatsMode;
  /** Subjects that the server has refused since the publish under way began; there is one at a time. */
  readonly #refused = new Set<Destination>();

  constructor(link: NatsLink, mode: NatsMode) {
    this.#link = link;
    this.#mode = mode;
  }

  async connect(signal: AbortSignal): Promise<void> {
    const connection = await this.#link.connect(signal);
    void this.#heed(connection.status());
  }

  /** Any subject will do; whether this login may publish to it shows when it does. */
  async check(destinations: readonly Destination[]): Promise<readonly Finding[]> {
    return destinations.map((destination) => ({ destination, problem: natsSubject.refuse(destination) }));
  }

  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#link.underWay.run(() => this.#publish(batch), signal);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /**
   * Core NATS has no acknowledgement of a message, but it answers a connection's commands in order: once the PONG of a
   * PING behind the batch is here, the server has taken all of it, and its refusals have come before.
   */
  async #publish(batch: readonly Message[]): Promise<readonly Outcome[]> {
    const { connection } = this.#link;
    this.#refused.clear();
    const tooLarge = batch.map((message) => this.#send(message));
    await connection.flush();
    // The refusals are heard by way of an asynchronous iterator: let it come to its end.
    await turn();
    const server = connection.info?.server_name ?? '';
    return batch.map(({ destination: subject }, index) => {
      const receipt: Receipt = { server, subject };
      return tooLarge[index] ?? (this.#refused.has(subject) ? notAuthorized(subject) : { kind: 'delivered', receipt });
    });
  }

  #send(message: Message): Outcome | undefined {
    const event = natsEvent(message, this.#mode);
    const bytes = payloadBytes(event);
    if (bytes > this.#link.maxPayload) return tooLarge(bytes, this.#link.maxPayload);
    this.#link.connection.publish(message.destination, event.body, { headers: event.headers });
    return undefined;
  }

  async #heed(statuses: AsyncIterable<{ readonly type: string; readonly error?: unknown }>): Promise<void> {
    for await (const { error } of statuses) {
      if (error instanceof PermissionViolationError) this.#refused.add(error.subject);
    }
  }
}
