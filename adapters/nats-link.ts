import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { type AdapterContext, ConnectionLost } from '../src/adapter.ts';
import type { NatsOptions } from './nats-options.ts';
import { networkProblem } from './network-problem.ts';
import { readTls } from './tls-files.ts';
import { UnderWay } from './under-way.ts';

/**
 * The sockets that somebody opens on our behalf. nats.js cannot be told to abandon a connect, and one that times out on
 * a server which accepts and then says nothing leaves its socket open for ever; so they are noted as they are opened.
 */
class Sockets {
  readonly #open = new Set<Socket>();
  #released = false;

  add(socket: Socket): void {
    if (this.#released) socket.destroy();
    else this.#open.add(socket);
  }

  /** Closes all of them, and those that are still to come. */
  release(): void {
    this.#released = true;
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }
}

const opening = new AsyncLocalStorage<Sockets>();
subscribe('net.client.socket', (message) => {
  const socket = message && typeof message === 'object' && 'socket' in message ? message.socket : undefined;
  if (socket instanceof Socket) opening.getStore()?.add(socket);
});

/** A connection to NATS that is made once and ends once, and with it all that is under way on it. */
export class NatsLink {
  readonly underWay = new UnderWay();
  readonly #options: NatsOptions;
  readonly #connectOptions: NodeConnectionOptions;
  readonly #sockets = new Sockets();
  #connection: NatsConnection | undefined;

  private constructor(options: NatsOptions, connectOptions: NodeConnectionOptions) {
    this.#options = options;
    this.#connectOptions = connectOptions;
  }

  /** Reads the secrets. */
  static async create(options: NatsOptions, context: AdapterContext): Promise<NatsLink> {
    return new NatsLink(options, await connectOptions(options, context));
  }

  async connect(signal: AbortSignal): Promise<NatsConnection> {
    try {
      const dial = () => opening.run(this.#sockets, () => connect(this.#connectOptions));
      this.#connection = await this.underWay.run(dial, signal);
    } catch (error) {
      this.#sockets.release();
      throw signal.aborted ? error : new Error(this.#refusal(error), { cause: error });
    }
    void this.#watch(this.#connection);
    return this.#connection;
  }

  get connection(): NatsConnection {
    if (!this.#connection) throw new Error('used before connect');
    return this.#connection;
  }

  /** Bytes of a message with its headers, as the server said when it took the connection. */
  get maxPayload(): number {
    return this.#connection?.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  async close(): Promise<void> {
    this.underWay.end(new ConnectionLost(`The connection to NATS at ${this.#options.servers} is closed.`));
    await Promise.race([this.#connection?.close(), delay(1_000, undefined, { ref: false })]);
    this.#sockets.release();
  }

  async #watch(connection: NatsConnection): Promise<void> {
    connection.closed().then((error) => this.#lose(error ? networkProblem(error) : 'it closed the connection'));
    for await (const { type } of connection.status()) {
      // nats.js now waits for its last write to leave the socket, which may be for ever.
      if (type === 'staleConnection') this.#lose('it does not answer');
    }
  }

  #lose(why: string): void {
    this.underWay.end(new ConnectionLost(`Lost the connection to NATS at ${this.#options.servers}: ${why}.`));
    this.#sockets.release();
  }

  #refusal(error: unknown): string {
    const { servers, username, token, creds } = this.#options;
    if (!(error instanceof Error) || error.name !== 'AuthorizationError') {
      return `Cannot reach NATS at ${servers}: ${networkProblem(error)}.`;
    }
    const login = username
      ? `the login of ${username}`
      : token
        ? 'the token'
        : creds
          ? 'the credentials'
          : 'us without a login';
    return `NATS at ${servers} refused ${login}: check username and password, token or creds.`;
  }
}

/** The SDK retries nothing, and finds out within 30 s that a server has gone silent. */
async function connectOptions(options: NatsOptions, { clientId }: AdapterContext): Promise<NodeConnectionOptions> {
  const { servers, username, tls } = options;
  const secrets = [options.password, options.token, options.creds].map((one) => one?.reveal());
  const [pass, token, creds] = await Promise.all(secrets);
  return {
    servers: [...servers],
    name: clientId,
    reconnect: false,
    timeout: 15_000,
    pingInterval: 10_000,
    maxPingOut: 2,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
    ...(username !== undefined && { user: username }),
    ...(pass !== undefined && { pass }),
    ...(token !== undefined && { token }),
    ...(creds !== undefined && { authenticator: credsAuthenticator(new TextEncoder().encode(creds)) }),
    ...(tls !== undefined && { tls: await readTls(tls) }),
  };
}
