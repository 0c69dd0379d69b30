/**
 * MQTT 5, and 3.1.1 by option, on mqtt.js.
 *
 * Delivery: QoS 1. The PUBACK is the acknowledgement: the broker has taken the message over, to hand it to whoever is
 *   subscribed now or holds a session. It does not store it for those who come later, and few brokers tie the PUBACK to
 *   their disk. "No matching subscribers" (16) is a success too, and the receipt says so. An MQTT 3.1.1 PUBACK cannot say
 *   no: there Mosquitto acknowledges what it then drops for an ACL or its size. Prefer 5, the default.
 * Order: one connection keeps it, but a PUBACK that says no comes when later messages are on their way: so of one key one
 *   message at a time. With `retain` a replayed Event is sent unretained, or it would replace a newer one.
 * Limits: the broker's Maximum Packet Size, judged here; its Receive Maximum bounds what is unacknowledged. Without noDelay
 *   Nagle's algorithm against delayed acknowledgements would cost 40 ms a window.
 * Names: `/` separates levels. In a part `/`, `+`, `#`, `%`, a leading `$` and what MQTT forbids become %XX; empty is `_`.
 * Errors: the PUBACK's reason code (mqtt-outcome.ts); 3.1.1 has none.
 *   | what the broker says                                    | outcome                     |
 *   | 0 success, 16 no matching subscribers                   | delivered                   |
 *   | 128 unspecified, 131 implementation specific, any other | retry, unavailable          |
 *   | 151 quota exceeded                                      | retry, throttled            |
 *   | 135 not authorized                                      | held, not-authorized        |
 *   | 144 topic name invalid                                  | reject, invalid-destination |
 *   | 149 packet too large                                    | reject, too-large           |
 *   | 153 payload format invalid                              | reject, invalid-message     |
 *   | larger than its Maximum Packet Size                     | reject, too-large (by us)   |
 *   | closes the connection, answers no ping for 22 s         | connection lost             |
 */
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { IConnackPacket, MqttClient } from 'mqtt';
import { z } from 'zod';
import {
  type Adapter,
  type AdapterContext,
  type AdapterType,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
  Secret,
  secret,
} from '../src/adapter.ts';
import { explainLoss, explainRefusal, outcomeOfPuback, reasonCodeOf } from './mqtt-outcome.ts';
import { mqttPacket, type Packet, packetBytes } from './mqtt-packet.ts';
import { mqttTopic } from './mqtt-topic.ts';
import { readTls, tlsFiles } from './tls-files.ts';
import { UnderWay } from './under-way.ts';

const SECURE = ['mqtts:', 'wss:'];

const brokerUrl = z
  .url({ protocol: /^(mqtts?|wss?)$/, error: 'a URL such as mqtt://host:1883, mqtts://host:8883 or wss://host/mqtt' })
  .refine(
    (url) => (URL.parse(url)?.username ?? '') === '',
    'the login does not belong into the URL: say username and password',
  );

const brokerOptions = z
  .strictObject({
    url: brokerUrl.optional(),
    /** A broker inside the daemon, in the place of a URL; port 0 takes any free one. */
    embedded: z.strictObject({ port: z.int().min(0).max(65_535).default(1883) }).optional(),
    /** 5, or 4 for MQTT 3.1.1, as the protocol itself counts. */
    protocolVersion: z.literal([4, 5]).default(5),
    username: z.string().min(1).optional(),
    password: secret().optional(),
    tls: tlsFiles.optional(),
  })
  .refine(({ url, embedded }) => (url === undefined) !== (embedded === undefined), 'either a url or embedded')
  .refine(({ username, password }) => password === undefined || username !== undefined, 'a password needs a username')
  .refine(({ url, tls }) => tls === undefined || SECURE.includes(protocolOf(url)), 'tls needs mqtts: or wss:');

function protocolOf(url = ''): string {
  return URL.parse(url)?.protocol ?? '';
}

const routeOptions = z.strictObject({
  mode: z.enum(['binary', 'structured']).default('structured'),
  /** The broker keeps the last message of each topic for new subscribers. */
  retain: z.boolean().default(false),
});

type BrokerOptions = z.output<typeof brokerOptions>;
type Remote = BrokerOptions & { readonly url: string };
type RouteOptions = z.output<typeof routeOptions>;

export const mqtt: AdapterType<BrokerOptions, RouteOptions> = {
  name: 'mqtt',
  brokerOptions,
  routeOptions,
  destination: mqttTopic,
  capabilities: {
    orderedBatches: false,
    batchSize: 64,
    parallelism: 16,
    knowsDestinations: false,
    stores: false,
    deduplicates: false,
    mode: 'structured',
  },

  async serve({ embedded }, log) {
    if (embedded === undefined) return undefined;
    const { EmbeddedMqtt } = await import('./embedded-mqtt.ts');
    const server = await EmbeddedMqtt.start({ port: embedded.port, log });
    const { address: url, username, password } = server;
    return {
      address: url,
      options: { url, protocolVersion: 4, username, password: Secret.of(password) },
      ready: (signal) => server.ready(signal),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },

  async create({ url, ...broker }, route, context) {
    if (url === undefined) throw new Error('The embedded MQTT broker is used before it is started.');
    if (route.mode === 'binary' && broker.protocolVersion === 4) {
      throw new Error('MQTT 3.1.1 has no place for attributes: say mode: structured, or protocolVersion: 5.');
    }
    const [{ connect }, password, tls] = await Promise.all([
      import('mqtt'),
      broker.password?.reveal(),
      readTls(broker.tls),
    ]);
    const open = () =>
      connect(url, {
        protocolVersion: broker.protocolVersion,
        // Two daemons of one name must not take each other's session over for ever.
        clientId: `${context.clientId}-${randomBytes(4).toString('hex')}`,
        ...(broker.username !== undefined && { username: broker.username }),
        ...(password !== undefined && { password }),
        ...tls,
        clean: true,
        reconnectPeriod: 0,
        keepalive: 15,
        connectTimeout: 20_000,
      });
    return new MqttAdapter(open, { ...broker, url }, route, context);
  },
};

class MqttAdapter implements Adapter {
  readonly #open: () => MqttClient;
  readonly #broker: Remote;
  readonly #route: RouteOptions;
  readonly #log: AdapterContext['log'];
  readonly #underWay = new UnderWay();
  #client: MqttClient | undefined;
  #maximumPacketSize = Number.POSITIVE_INFINITY;
  #receiveMaximum = 65_535;
  #unacknowledged = 0;
  readonly #waiting: (() => void)[] = [];
  /** Of the PUBACK that has just come in. */
  #reasonCode = 0;

  constructor(open: () => MqttClient, broker: Remote, route: RouteOptions, { log }: AdapterContext) {
    this.#open = open;
    this.#broker = broker;
    this.#route = route;
    this.#log = log;
  }

  async connect(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const client = this.#open();
    this.#client = client;
    try {
      this.#agree(await this.#underWay.run(() => this.#connack(client), signal));
    } catch (error) {
      client.end(true);
      throw error;
    }
    this.#watch(client);
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
  }

  #connack(client: MqttClient): Promise<IConnackPacket> {
    const { url, username } = this.#broker;
    return new Promise((resolve, reject) => {
      let error: unknown = new Error('it closed the connection without an answer. Does that port expect TLS (mqtts:)?');
      client.on('error', (reason) => {
        error = reason;
        client.stream.destroy();
      });
      client.once('connect', resolve);
      client.once('close', () => reject(new Error(explainRefusal(url, username, error), { cause: error })));
    });
  }

  /** mqtt.js leaves a QoS 1 publish pending for ever when its connection ends, and goes on after some errors. */
  #watch(client: MqttClient): void {
    let cause: { error?: unknown; reasonCode?: number } = {};
    client.on('error', (error) => {
      cause = { error };
      client.stream.destroy();
    });
    client.on('disconnect', ({ reasonCode = 0 }) => {
      cause = { reasonCode };
    });
    client.on('close', () => {
      this.#underWay.end(new ConnectionLost(explainLoss(this.#broker.url, cause), { cause: cause.error }));
    });
    // Its callbacks are given the packet that was sent; what the broker answered is heard here, right before.
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'puback') this.#reasonCode = packet.reasonCode ?? 0;
    });
  }

  /** Takes the broker's terms, or throws at those under which nothing can be delivered. */
  #agree({ properties = {} }: IConnackPacket): void {
    const { maximumQoS, retainAvailable, receiveMaximum, maximumPacketSize } = properties;
    const { url } = this.#broker;
    if (maximumQoS === 0) throw new Error(`The MQTT broker at ${url} only offers QoS 0, which acknowledges nothing.`);
    if (this.#route.retain && retainAvailable === false) {
      throw new Error(`The MQTT broker at ${url} keeps no retained messages: remove \`retain\` from the route.`);
    }
    this.#receiveMaximum = receiveMaximum ?? this.#receiveMaximum;
    this.#maximumPacketSize = maximumPacketSize ?? this.#maximumPacketSize;
    this.#log.debug({ url, receiveMaximum, maximumPacketSize }, 'connected to the MQTT broker');
  }

  /** Nothing can be asked: MQTT has no question whether a topic may be written to but to write to it. */
  async check(destinations: readonly Destination[]): Promise<readonly Finding[]> {
    return destinations.map((destination) => ({ destination, problem: mqttTopic.refuse(destination) }));
  }

  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#underWay.run(() => Promise.all(batch.map((message) => this.#publish(message))), signal);
  }

  async #publish(message: Message): Promise<Outcome> {
    const packet = mqttPacket(message, this.#route.mode, this.#broker.protocolVersion);
    const bytes = packetBytes(packet);
    const limit = this.#maximumPacketSize;
    if (bytes > limit) {
      const detail = `The packet has ${bytes} bytes; the MQTT broker takes ${limit}.`;
      return { kind: 'reject', reason: 'too-large', detail, judge: 'adapter' };
    }
    const retain = this.#route.retain && message.attributes.origin !== 'replay';
    const reasonCode = await this.#acknowledged(packet, retain);
    if (this.#broker.protocolVersion === 4) return { kind: 'delivered', receipt: { topic: packet.topic } };
    return outcomeOfPuback(reasonCode, packet.topic);
  }

  /** The reason code of the PUBACK. Sends as soon as the broker's Receive Maximum allows: each PUBACK lets the next go. */
  #acknowledged({ topic, payload, properties }: Packet, retain: boolean): Promise<number> {
    const client = this.#client;
    if (!client) throw new Error('publish before connect');
    return new Promise((resolve) => {
      const send = () => {
        this.#unacknowledged++;
        client.publish(topic, payload, { qos: 1, retain, ...(properties && { properties }) }, (error) => {
          // Without a reason code the broker has not answered: whoever waits is told when the connection has ended.
          if (error && reasonCodeOf(error) === undefined) return void client.stream.destroy();
          this.#unacknowledged--;
          this.#waiting.shift()?.();
          resolve(this.#reasonCode);
        });
      };
      if (this.#unacknowledged < this.#receiveMaximum) send();
      else this.#waiting.push(send);
    });
  }

  /** Says farewell when nothing is under way, for mqtt.js would wait for that; a broker that does not answer has a second. */
  async close(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    const closed = new Promise<void>((resolve) => {
      if (client.stream.destroyed) resolve();
      else client.stream.once('close', () => resolve());
    });
    client.end(this.#unacknowledged > 0);
    await Promise.race([closed, delay(1_000, undefined, { ref: false })]);
    client.stream.destroy();
  }
}
