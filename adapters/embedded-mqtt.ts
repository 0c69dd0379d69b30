/**
 * An MQTT broker inside the daemon, for a laptop with nothing else installed: aedes, which speaks MQTT 3.1.1. It serves
 * this machine only, keeps nothing, and is not a broker for others to publish to.
 *
 * Whoever connects is a stranger, and shares a process with the journal: so nothing that a client does may cost memory
 * without bound, stop the other clients or end the process. Sessions last no longer than their connection, for their
 * queues would grow for ever; publishes and wills are refused, but for the daemon's own; a subscriber that stops
 * reading is thrown out; and who sends more than a subscriber has any reason to is thrown out too.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Aedes, type AedesOptions, type AuthenticateError, type Client, type Connection } from 'aedes';
import type { AdapterContext } from '../src/adapter.ts';

type Logger = AdapterContext['log'];

const HOST = '127.0.0.1';
const MAX_CONNECTIONS = 100;
const MAX_FILTERS = 1_000;
/** What a subscriber may send on top of what it has been sent: it answers, and has little of its own to say. */
const MAX_UNASKED_BYTES = 256 * 1024;
/** What may wait for one slow subscriber before the others wait for it, and for how long they do. */
const BUFFER_BYTES = 1024 * 1024;
const DRAIN_MS = 2_000;
const CONNECT_MS = 5_000;

const REFUSED_LOGIN = 4;
const NOT_AUTHORIZED = 5;
const REFUSED_FILTER = 128;

export class EmbeddedMqtt implements AsyncDisposable {
  readonly address: string;
  /** The login of the only clients that may publish. */
  readonly username = 'kube-fanout';
  readonly password = randomUUID();
  readonly #server: Server;
  readonly #aedes: Aedes;
  readonly #log: Logger;
  readonly #sockets = new Set<Socket>();
  /** The daemon's own connections, with their client ids. */
  readonly #publishers = new Map<Connection, string>();
  readonly #filters = new WeakMap<Client, number>();
  readonly #subscribed = Promise.withResolvers<void>();

  private constructor(server: Server, aedes: Aedes, log: Logger) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The MQTT broker has no port.');
    this.address = `mqtt://${HOST}:${address.port}`;
    this.#server = server;
    this.#aedes = aedes;
    this.#log = log;
  }

  /** Port 0 takes any free one. Rejects when the port cannot be had, with what to do. */
  static async start({ port, log }: { readonly port: number; readonly log: Logger }): Promise<EmbeddedMqtt> {
    const server = createServer({ highWaterMark: BUFFER_BYTES, noDelay: true });
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await once(server.listen(port, HOST), 'listening');
    } catch (cause) {
      throw new Error(cannotListen(port, cause), { cause });
    }
    const aedes = await Aedes.createBroker({ connectTimeout: CONNECT_MS, drainTimeout: DRAIN_MS });
    const broker = new EmbeddedMqtt(server, aedes, log);
    broker.#serve();
    return broker;
  }

  /** Clients that are connected, without those of the daemon. */
  get clients(): number {
    return Math.max(0, this.#aedes.connectedClients - this.#publishers.size);
  }

  /**
   * Settles when the first subscription stands, or when the signal aborts. Until then nothing should be published: aedes
   * acknowledges a message that nobody has subscribed to, and a later subscriber gets nothing of it.
   */
  async ready(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (!signal.aborted) await Promise.race([this.#subscribed.promise, promise]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    const ended = new Promise<void>((resolve) => this.#aedes.close(resolve));
    await Promise.race([ended, delay(1_000, undefined, { ref: false })]);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(): void {
    const aedes = this.#aedes;
    aedes.preConnect = this.#preConnect;
    aedes.authenticate = this.#authenticate;
    aedes.authorizePublish = this.#authorizePublish;
    aedes.authorizeSubscribe = this.#authorizeSubscribe;
    aedes.on('subscribe', (subscriptions) => {
      if (subscriptions.some(({ qos }) => qos < REFUSED_FILTER)) this.#subscribed.resolve();
    });
    const complain = (client: Client, error: Error) =>
      this.#log.debug({ client: client.id, error: error.message }, 'MQTT');
    aedes.on('clientError', complain).on('connectionError', complain);
    this.#server.on('connection', (socket) => this.#admit(socket));
  }

  #admit(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#publishers.delete(socket);
    });
    this.#aedes.handle(socket);
    socket.on('readable', () => {
      if (socket.bytesRead <= socket.bytesWritten + MAX_UNASKED_BYTES || this.#publishers.has(socket)) return;
      this.#log.warn('A client of the embedded MQTT broker sent too much, and was disconnected.');
      socket.destroy();
    });
  }

  readonly #preConnect: NonNullable<AedesOptions['preConnect']> = (_client, packet, done) => {
    packet.clean = true;
    done(null, true);
  };

  readonly #authenticate: NonNullable<AedesOptions['authenticate']> = (client, username, password, done) => {
    if (username === this.username) {
      const right = Buffer.from(this.password);
      if (password?.length !== right.length || !timingSafeEqual(password, right))
        return done(refusal(REFUSED_LOGIN), null);
      this.#publishers.set(client.conn, client.id);
      return done(null, true);
    }
    // A client of the same id would end the other's connection.
    if ([...this.#publishers.values()].includes(client.id)) return done(refusal(NOT_AUTHORIZED), null);
    done(null, true);
  };

  readonly #authorizePublish: NonNullable<AedesOptions['authorizePublish']> = (client, packet, done) => {
    if (client && this.#publishers.has(client.conn) && !packet.topic.startsWith('$')) return done();
    done(new Error('only the daemon publishes here'));
  };

  readonly #authorizeSubscribe: NonNullable<AedesOptions['authorizeSubscribe']> = (client, subscription, done) => {
    const filters = (this.#filters.get(client) ?? 0) + 1;
    this.#filters.set(client, filters);
    const allowed = filters <= MAX_FILTERS && !subscription.topic.startsWith('$');
    done(null, allowed ? subscription : null);
  };
}

function refusal(returnCode: number): AuthenticateError {
  return Object.assign(new Error('refused'), { returnCode });
}

function cannotListen(port: number, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const where = `The embedded MQTT broker cannot listen on ${HOST}:${port}`;
  if (code === 'EADDRINUSE')
    return `${where}: another program does. End it, or choose another port; 0 takes any that is free.`;
  if (code === 'EACCES') return `${where}: this user may not. Choose a port above 1023.`;
  return `${where}: ${error instanceof Error ? error.message : error}.`;
}
