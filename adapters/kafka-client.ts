import { createRequire } from 'node:module';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Admin, ISocketFactory, KafkaConfig, Producer, SASLOptions } from 'kafkajs';
import type { AdapterContext } from '../src/adapter.ts';
import { unwrap } from './kafka-outcome.ts';
import { sendCarriers } from './kafka-request.ts';
import { networkProblem } from './network-problem.ts';

/** The broker's time to gather its replicas' confirmations; an answer that takes longer than the second is lost. */
export const ACK_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 25_000;
const CONNECT_TIMEOUT_MS = 5_000;

export interface KafkaLogin {
  readonly bootstrap: readonly string[];
  readonly tls: ConnectionOptions | undefined;
  readonly sasl: SASLOptions | undefined;
}

/** A producer and an admin client without retries, and the sockets of both, which end with `close` and not a moment later. */
export interface KafkaClient {
  readonly producer: Producer;
  readonly admin: Admin;
  connect(): Promise<void>;
  close(): Promise<void>;
}

export async function kafkaClient(login: KafkaLogin, { clientId, log }: AdapterContext): Promise<KafkaClient> {
  const { Kafka, logLevel } = await import('kafkajs');
  stopIdleTimers();
  sendCarriers();
  const sockets = new Sockets();
  const config: KafkaConfig = {
    clientId,
    brokers: [...login.bootstrap],
    ...(login.tls && { ssl: login.tls }),
    ...(login.sasl && { sasl: login.sasl }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: 0 },
    socketFactory: sockets.open,
    // What matters to a person comes back as an outcome or an error: its own log is for those who debug.
    logLevel: logLevel.INFO,
    logCreator:
      () =>
      ({ namespace, log: { message, timestamp: _, ...extra } }) =>
        log.debug({ ...extra, kafkajs: namespace }, message),
  };
  const kafka = new Kafka(config);
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    idempotent: false,
    createPartitioner:
      () =>
      ({ message }) => {
        if (message.partition === undefined) throw new TypeError('a record without a partition');
        return message.partition;
      },
  });
  const admin = kafka.admin();
  return {
    producer,
    admin,
    async connect() {
      await toAnyOf(login, () => producer.connect());
      await toAnyOf(login, () => admin.connect());
    },
    async close() {
      const goodbye = Promise.allSettled([producer.disconnect(), admin.disconnect()]);
      await sockets.closeAfter(goodbye);
    },
  };
}

/** Without retries kafkajs asks one address at each attempt, the next one at the next. */
async function toAnyOf(login: KafkaLogin, connect: () => Promise<void>): Promise<void> {
  let failure: unknown;
  for (const _ of login.bootstrap) {
    try {
      return await connect();
    } catch (error) {
      failure = error;
    }
  }
  throw explainConnect(failure, login);
}

/** kafkajs waits in `disconnect` for the answers that are due, and connects again on its own: here both have an end. */
class Sockets {
  readonly #open = new Set<Socket>();
  #closed = false;

  readonly open: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.#closed) throw new Error('closed');
    const name = isIP(host) ? {} : { servername: host };
    const socket = ssl
      ? connectTls({ host, port, ...name, ...ssl }, onConnect)
      : connectPlain({ host, port, noDelay: true }, onConnect);
    socket.setKeepAlive(true, 15_000);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  };

  async closeAfter(goodbye: Promise<unknown>): Promise<void> {
    this.#closed = true;
    await Promise.race([goodbye, pause(300)]);
    for (const socket of this.#open) socket.destroy(new Error('closed'));
    await Promise.race([goodbye, pause(300)]);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** What is wrong, where, and what to do. It keeps no cause: an answer to a login may repeat what was sent. */
function explainConnect(failure: unknown, { bootstrap, sasl, tls }: KafkaLogin): Error {
  const at = bootstrap.join(', ');
  const error = unwrap(failure);
  const text = error instanceof Error ? error.message : String(error);
  if (/mechanism is not supported|does not support the requested SASL mechanism/i.test(text)) {
    return new Error(
      `Kafka at ${at} does not offer ${sasl?.mechanism.toUpperCase()}. Choose another mechanism under sasl.`,
    );
  }
  if (sasl && /SASL|authentication/i.test(text)) {
    const user = 'username' in sasl ? ` of user ${sasl.username}` : '';
    const what = `the login${user} by ${sasl.mechanism.toUpperCase()}`;
    return new Error(`Kafka at ${at} refused ${what}. Check username, password and mechanism under sasl.`);
  }
  if (/Closed connection|closed by the server|ECONNRESET|socket hang up|disconnected before secure/i.test(text)) {
    const missing = [tls ? '' : 'TLS', sasl ? '' : 'a login'].filter(Boolean).join(' or ');
    const hint = missing ? `Does that port want ${missing}? Say so under tls or sasl.` : 'Is TLS right for that port?';
    return new Error(`Kafka at ${at} closed the connection at once. ${hint}`);
  }
  return new Error(`Cannot reach Kafka at ${at}: ${networkProblem(error)}. Is the address right, and is it running?`);
}

/**
 * kafkajs asks itself every millisecond whether throttled requests may go, even when there are none: its timer's delay is
 * then negative, for which Node also prints a TimeoutNegativeWarning. Where nothing waits, no timer is needed.
 */
function stopIdleTimers(): void {
  const queue: { prototype: RequestQueue } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue');
  const { prototype } = queue;
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function scheduleIfAnythingWaits() {
    if (this.pending.length > 0) schedule.call(this);
  };
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(this: RequestQueue): void;
}

const patched = new WeakSet<RequestQueue>();
