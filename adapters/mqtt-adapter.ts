import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import {
  type Adapter,
  type AdapterContext,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
} from '../src/adapter.ts';
import type { MqttRoute } from './mqtt-options.ts';
import { explainLoss, explainRefusal, outcomeOfPuback, reasonCodeOf } from './mqtt-outcome.ts';
import { mqttPacket, type Packet, packetBytes } from './mqtt-packet.ts';
import { mqttTopic } from './mqtt-topic.ts';
import { UnderWay } from './under-way.ts';

export interface MqttAdapterOptions extends MqttRoute {
  readonly url: string;
  readonly protocolVersion: 4 | 5;
  /** Client id, username, password, certificates. */
  readonly login: IClientOptions;
  readonly log: AdapterContext['log'];
}

/**
 * The SDK keeps no session and does not reconnect; it finds out within 22 s that a broker has gone silent. Its log, which
 * nobody reads, would make an object of each argument of each of ten lines a message.
 */
const CONNECTION: IClientOptions = {
  ...{ clean: true, reconnectPeriod: 0, keepalive: 15, connectTimeout: 20_000 },
  log: () => {},
};

/** Publishes by QoS 1. What its errors mean is told in mqtt.ts. */
export class MqttAdapter implements Adapter {
  readonly #options: MqttAdapterOptions;
  readonly #underWay = new UnderWay();
  #client: MqttClient | undefined;
  #maximumPacketSize = Number.POSITIVE_INFINITY;
  #receiveMaximum = 65_535;
  #unacknowledged = 0;
  readonly #waiting: (() => void)[] = [];
  /** Of the PUBACK that has just come in. */
  #reasonCode = 0;

  constructor(options: MqttAdapterOptions) {
    this.#options = options;
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

  #open(): MqttClient {
    const { url, protocolVersion, login } = this.#options;
    try {
      return connect(url, { ...CONNECTION, ...login, protocolVersion });
    } catch (error) {
      throw new Error(explainRefusal(url, login.username, error), { cause: error });
    }
  }

  #connack(client: MqttClient): Promise<IConnackPacket> {
    const { url, login } = this.#options;
    return new Promise((resolve, reject) => {
      let error: unknown;
      client.on('error', (reason) => {
        error = reason;
        client.stream.destroy();
      });
      client.once('connect', resolve);
      client.once('close', () => reject(new Error(explainRefusal(url, login.username, error), { cause: error })));
    });
  }

  /** mqtt.js leaves a QoS 1 publish pending for ever when its connection ends, and goes on after some errors. */
  #watch(client: MqttClient): void {
    let cause: { error?: unknown; reasonCode?: number } = {};
    client.on('error', (error) => {
      cause = { ...cause, error };
      client.stream.destroy();
    });
    client.on('disconnect', ({ reasonCode = 0 }) => {
      cause = { ...cause, reasonCode };
    });
    client.on('close', () => {
      this.#underWay.end(new ConnectionLost(explainLoss(this.#options.url, cause), { cause: cause.error }));
    });
    // Its callbacks are given the packet that was sent; what the broker answered is heard here, right before.
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'puback') this.#reasonCode = packet.reasonCode ?? 0;
    });
  }

  /** Takes the broker's terms, or throws at those under which nothing can be delivered. */
  #agree({ properties = {} }: IConnackPacket): void {
    const { maximumQoS, retainAvailable, receiveMaximum, maximumPacketSize } = properties;
    const { url, retain, log } = this.#options;
    if (maximumQoS === 0) throw new Error(`The MQTT broker at ${url} only offers QoS 0, which acknowledges nothing.`);
    if (retain && retainAvailable === false) {
      throw new Error(`The MQTT broker at ${url} keeps no retained messages: remove \`retain\` from the route.`);
    }
    this.#receiveMaximum = receiveMaximum ?? this.#receiveMaximum;
    this.#maximumPacketSize = maximumPacketSize ?? this.#maximumPacketSize;
    log.debug({ url, receiveMaximum, maximumPacketSize }, 'connected to the MQTT broker');
  }

  /** Nothing can be asked: MQTT has no question whether a topic may be written to but to write to it. */
  async check(destinations: readonly Destination[]): Promise<readonly Finding[]> {
    return destinations.map((destination) => ({ destination, problem: mqttTopic.refuse(destination) }));
  }

  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#underWay.run(() => Promise.all(batch.map((message) => this.#publish(message))), signal);
  }

  async #publish(message: Message): Promise<Outcome> {
    const packet = mqttPacket(message, this.#options.mode, this.#options.protocolVersion);
    const bytes = packetBytes(packet);
    const limit = this.#maximumPacketSize;
    if (bytes > limit) {
      const detail = `The packet has ${bytes} bytes; the MQTT broker takes ${limit}.`;
      return { kind: 'reject', reason: 'too-large', detail, judge: 'adapter' };
    }
    const retain = this.#options.retain && message.attributes.origin !== 'replay';
    const reasonCode = await this.#acknowledged(packet, retain);
    if (this.#options.protocolVersion === 4) return { kind: 'delivered', receipt: { topic: packet.topic } };
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
