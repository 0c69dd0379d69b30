/**
 * Publishes that are answered for, each by itself: NATS' request and reply, with one subscription for all of them.
 *
 * The SDK's own `request` costs an error with a stack, a timer and two more promises even when all is well: of a publish
 * that costs 120 us it was the half.
 */
import {
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node';

interface Waiting {
  readonly subject: string;
  /** By the steady clock, in milliseconds. */
  readonly until: number;
  readonly resolve: (answer: Msg) => void;
  readonly reject: (error: Error) => void;
}

/** What the server says instead of an answer when nobody listens to a subject. */
const NO_RESPONDERS = 503;

export class Acks {
  readonly #connection: NatsConnection;
  readonly #timeoutMs: number;
  readonly #inbox = createInbox();
  /** By the last part of the subject that is answered to; in the order in which they were sent. */
  readonly #waiting = new Map<string, Waiting>();
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  /** False again when this login may not listen to its answers, which may be mended. */
  #listening = false;
  #refusal: Error | undefined;

  constructor(connection: NatsConnection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    void this.#heed(connection.status());
  }

  /** Settles when answers can be heard; rejects with PermissionViolationError when this login may not hear them. */
  async listen(): Promise<void> {
    this.#listen();
    await this.#connection.flush();
    if (this.#refusal) throw this.#refusal;
  }

  /**
   * The answer. Rejects with TimeoutError, NoRespondersError or PermissionViolationError; never settles when the
   * connection ends, which is for who holds it to tell.
   */
  publish(subject: string, body: Uint8Array, headers: MsgHdrs): Promise<Msg> {
    if (!this.#listening) this.#listen();
    const token = String(this.#next++);
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    this.#connection.publish(subject, body, { headers, reply: `${this.#inbox}.${token}` });
    this.#waiting.set(token, { subject, until: performance.now() + this.#timeoutMs, resolve, reject });
    this.#timer ??= this.#soon(this.#timeoutMs);
    return promise;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #listen(): void {
    this.#listening = true;
    this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, answer) => (error ? this.#refused(error) : this.#answered(answer)),
    });
  }

  #refused(error: Error): void {
    this.#listening = false;
    this.#refusal = error;
    for (const token of [...this.#waiting.keys()]) this.#settle(token, ({ reject }) => reject(error));
  }

  #answered(answer: Msg): void {
    const token = answer.subject.slice(this.#inbox.length + 1);
    const { data, headers } = answer;
    const nobody = data.length === 0 && headers?.code === NO_RESPONDERS;
    this.#settle(token, ({ subject, resolve, reject }) => {
      if (nobody) reject(new NoRespondersError(subject));
      else resolve(answer);
    });
  }

  #settle(token: string, how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    this.#waiting.delete(token);
    how(waiting);
  }

  #soon(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#expire(), ms).unref();
  }

  /** All of them wait equally long, so the first is the next. */
  #expire(): void {
    this.#timer = undefined;
    for (const [token, { until }] of this.#waiting) {
      const left = until - performance.now();
      if (left > 0) {
        this.#timer = this.#soon(Math.ceil(left));
        return;
      }
      this.#settle(token, ({ reject }) => reject(new TimeoutError()));
    }
  }

  /** A refusal names the subject only, and the server refuses in the order in which it was asked. */
  async #heed(statuses: AsyncIterable<{ readonly type: string; readonly error?: unknown }>): Promise<void> {
    for await (const { error } of statuses) {
      if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') continue;
      for (const [token, { subject }] of this.#waiting) {
        if (subject !== error.subject) continue;
        this.#settle(token, ({ reject }) => reject(error));
        break;
      }
    }
  }
}
