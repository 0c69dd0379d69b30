/**
 * MQTT 5, and 3.1.1 by option, on mqtt.js.
 *
 * Delivery: QoS 1. The PUBACK is the acknowledgement: the broker has taken the message over, to hand it to whoever is
 *   subscribed now or holds a session. It does not store it for those who come later, and few brokers tie the PUBACK to
 *   their disk. "No matching subscribers" (16) is a success too, and the receipt says so. An MQTT 3.1.1 PUBACK cannot say
 *   no: there Mosquitto acknowledges what it then drops for an ACL or its size. Prefer 5, the default.
 * Order: one connection keeps it, but a PUBACK that says no comes when later messages are on their way: so of one key one
 *   message at a time. With `retain` a replayed Event is sent unretained, or it would replace a newer one.
 * Limits: the broker's Maximum Packet Size, judged here; its Receive Maximum bounds what is unacknowledged. A packet is a
 *   message, so a batch would gain nothing, and cost much: Mosquitto's TCP holds each PUBACK but the first back for 40 ms
 *   unless something else is sent meanwhile, so whoever waits for a whole batch waits for that. Give Mosquitto its limit as
 *   max_packet_size, not as message_size_limit: that one it answers with a code that no PUBACK may have (149), which costs
 *   the connection.
 * Names: `/` separates levels. In a part `/`, `+`, `#`, `%`, a leading `$` and what MQTT forbids become %XX; empty is `_`.
 * Errors: the PUBACK's reason code (mqtt-outcome.ts); 3.1.1 has none.
 *   | what the broker says                                    | outcome                     |
 *   | 0 success, 16 no matching subscribers                   | delivered                   |
 *   | 128 unspecified, 131 implementation specific, any other | retry, unavailable          |
 *   | 151 quota exceeded                                      | retry, throttled            |
 *   | 135 not authorized                                      | held, not-authorized        |
 *   | 144 topic name invalid                                  | reject, invalid-destination |
 *   | 153 payload format invalid                              | reject, invalid-message     |
 *   | larger than its Maximum Packet Size                     | reject, too-large (by us)   |
 *   | closes the connection, answers no ping for 22 s         | connection lost             |
 */
import { randomBytes } from 'node:crypto';
import { type AdapterType, Secret } from '../src/adapter.ts';
import { type MqttBroker, type MqttRoute, mqttBroker, mqttRoute } from './mqtt-options.ts';
import { mqttTopic } from './mqtt-topic.ts';
import { readTls } from './tls-files.ts';

export const mqtt: AdapterType<MqttBroker, MqttRoute> = {
  name: 'mqtt',
  brokerOptions: mqttBroker,
  routeOptions: mqttRoute,
  destination: mqttTopic,
  capabilities: {
    orderedBatches: false,
    batchSize: 32,
    parallelism: 8,
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
    const [{ MqttAdapter }, password, tls] = await Promise.all([
      import('./mqtt-adapter.ts'),
      broker.password?.reveal(),
      readTls(broker.tls),
    ]);
    // Two daemons of one name must not take each other's session over for ever.
    const clientId = `${context.clientId}-${randomBytes(4).toString('hex')}`;
    const login = {
      clientId,
      ...(broker.username !== undefined && { username: broker.username }),
      ...(password !== undefined && { password }),
      ...tls,
    };
    const { protocolVersion } = broker;
    return new MqttAdapter({ url, protocolVersion, login, ...route, log: context.log });
  },
};
