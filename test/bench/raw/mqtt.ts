import { connectAsync } from 'mqtt';
import { mqttPacket } from '../../../adapters/mqtt-packet.ts';
import { once, type RawClient } from './client.ts';

/** mqtt.js by QoS 1 on one connection, which keeps the order. */
export async function rawMqtt(url: string, topic: string): Promise<RawClient> {
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  const packet = once((message) => mqttPacket({ ...message, destination: topic }, 'structured', 5));
  return {
    async send(batch) {
      await Promise.all(
        batch.map((message) => {
          const { payload, properties } = packet(message);
          return client.publishAsync(topic, payload, { qos: 1, ...(properties && { properties }) });
        }),
      );
    },
    [Symbol.asyncDispose]: () => client.endAsync(true),
  };
}
