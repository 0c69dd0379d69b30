import type { IPublishPacket } from 'mqtt';
import { attributeEntries, type Message, STRUCTURED_CONTENT_TYPE, structuredJson } from '../src/adapter.ts';

export type MqttMode = 'binary' | 'structured';

export interface Packet {
  readonly topic: string;
  readonly payload: Buffer;
  /** Undefined in MQTT 3.1.1, which has none. */
  readonly properties: IPublishPacket['properties'];
}

/** A view of the same bytes, for mqtt.js takes nothing but its own kind. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The event in the MQTT binding of CloudEvents. Binary mode keeps the attributes' names unchanged as user properties;
 * structured mode is all that MQTT 3.1.1 has, where its media type is implied.
 */
export function mqttPacket(message: Message, mode: MqttMode, protocolVersion: 4 | 5): Packet {
  const { destination: topic, attributes, data } = message;
  if (mode === 'binary') {
    const userProperties = Object.fromEntries(attributeEntries(attributes));
    return { topic, payload: asBuffer(data), properties: { contentType: attributes.datacontenttype, userProperties } };
  }
  const payload = asBuffer(structuredJson(attributes, data));
  return { topic, payload, properties: protocolVersion === 5 ? { contentType: STRUCTURED_CONTENT_TYPE } : undefined };
}

/** How many bytes a variable byte integer takes. */
function varint(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

/** The size that the broker's Maximum Packet Size is about: MQTT 5, 3.2.2.3.6. */
export function packetBytes({ topic, payload, properties }: Packet): number {
  const { contentType = '', userProperties = {} } = properties ?? {};
  const pairs = Object.entries(userProperties).map(
    ([name, value]) => name.length + Buffer.byteLength(String(value)) + 5,
  );
  const propertyBytes = 3 + contentType.length + pairs.reduce((sum, bytes) => sum + bytes, 0);
  const withLength = properties === undefined ? 0 : varint(propertyBytes) + propertyBytes;
  const remaining = 2 + Buffer.byteLength(topic) + 2 + withLength + payload.length;
  return 1 + varint(remaining) + remaining;
}
