import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import type { NatsAddress } from '../backends/nats.ts';

export interface WireMessage {
  /** The header block as it came, or empty. */
  readonly headers: string;
  readonly body: Buffer;
  /** Where the sender wants an answer. */
  readonly reply: string | undefined;
}

const CLOSED = 'the NATS server has closed the connection';

type Listener = (message: WireMessage) => void;

/**
 * As much of the NATS protocol as reading and asking JetStream takes, from its documentation: it shares no code with the
 * adapter's SDK. https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export class NatsWire implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #ended = Promise.withResolvers<void>();
  readonly #listeners = new Map<string, Listener>();
  #pong: PromiseWithResolvers<void> | undefined;
  #buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    // A server that a test kills takes its readers along.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended.resolve();
      this.#pong?.reject(new Error(CLOSED));
    });
  }

  static async connect({ url, login, ca }: NatsAddress): Promise<NatsWire> {
    const { hostname, port } = new URL(url);
    const plain = connect(Number(port), hostname).setNoDelay();
    // The server greets in the clear, also where it then demands TLS.
    await once(plain, 'data');
    const socket = ca === undefined ? plain : secure({ socket: plain, ca, servername: 'localhost' });
    const wire = new NatsWire(socket);
    const user = login && { user: login.users[0], pass: login.password };
    socket.write(`CONNECT ${JSON.stringify({ verbose: false, headers: true, no_responders: true, ...user })}\r\n`);
    await wire.#roundTrip();
    return wire;
  }

  /** Subscribed when it settles. */
  async subscribe(subject: string, listener: Listener): Promise<void> {
    const sid = String(this.#listeners.size + 1);
    this.#listeners.set(sid, listener);
    this.#socket.write(`SUB ${subject} ${sid}\r\n`);
    await this.#roundTrip();
  }

  publish(subject: string, body: string, reply = ''): void {
    this.#socket.write(`PUB ${subject} ${reply} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
  }

  /** Asks JetStream: https://docs.nats.io/reference/reference-protocols/nats_api_reference */
  async jetStream<Answer>(api: string, question: object): Promise<Answer> {
    const inbox = `_INBOX.${crypto.randomUUID()}`;
    const { promise, resolve } = Promise.withResolvers<WireMessage>();
    await this.subscribe(inbox, resolve);
    this.publish(`$JS.API.${api}`, JSON.stringify(question), inbox);
    const answer = await Promise.race([promise, this.lost()]);
    const { error, ...rest } = JSON.parse(answer.body.toString() || '{"error":{"description":"no responders"}}');
    if (error) throw new Error(`${api}: ${error.description}`);
    return rest;
  }

  /** Settles when the connection has ended, or the signal aborts. */
  async closed(signal: AbortSignal): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close', { signal }).catch(() => {});
  }

  /** Rejects when the connection has ended. */
  async lost(): Promise<never> {
    await this.#ended.promise;
    throw new Error(CLOSED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.closed) return;
    this.#socket.destroy();
    await once(this.#socket, 'close');
  }

  async #roundTrip(): Promise<void> {
    this.#pong = Promise.withResolvers();
    this.#socket.write('PING\r\n');
    await this.#pong.promise;
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const end = this.#buffer.indexOf('\r\n');
      if (end < 0) return;
      const [verb = '', ...words] = this.#buffer.subarray(0, end).toString().split(' ');
      const carries = verb === 'MSG' || verb === 'HMSG';
      const bytes = carries ? Number(words.at(-1)) : 0;
      const next = end + 2 + (carries ? bytes + 2 : 0);
      if (this.#buffer.length < next) return;
      const payload = Buffer.from(this.#buffer.subarray(end + 2, end + 2 + bytes));
      this.#buffer = this.#buffer.subarray(next);
      this.#handle(verb, words, payload);
    }
  }

  #handle(verb: string, words: readonly string[], payload: Buffer): void {
    if (verb === 'PONG') this.#pong?.resolve();
    if (verb === 'PING') this.#socket.write('PONG\r\n');
    if (verb === '-ERR') this.#pong?.reject(new Error(words.join(' ')));
    if (verb !== 'MSG' && verb !== 'HMSG') return;
    const headerBytes = verb === 'HMSG' ? Number(words.at(-2)) : 0;
    const headers = payload.subarray(0, headerBytes).toString();
    const reply = words.length > (verb === 'HMSG' ? 4 : 3) ? words[2] : undefined;
    this.#listeners.get(words[1] ?? '')?.({ headers, body: payload.subarray(headerBytes), reply });
  }
}

/** Every name must come once: one that comes twice is a mistake of whoever wrote it. */
export function parseHeaders(block: string): Record<string, string> {
  const [, ...lines] = block.trimEnd().split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    if (name in headers) throw new Error(`The header ${name} came twice.`);
    headers[name] = line.slice(colon + 1).trim();
  }
  return headers;
}
