import type { DestinationRules } from '../src/adapter.ts';
import { percentEncode } from './percent.ts';

/** What no MQTT string should hold: Mosquitto closes the connection over one, without a PUBACK. MQTT 5, 1.5.4. */
const ILLEGAL = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const UNSAFE = /[/+#%\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]|^\$/gu;
const MAX_BYTES = 65_535;

/** Topic names: MQTT 5, 4.7. */
export const mqttTopic: DestinationRules = {
  field: 'topic',

  escape: (value) => percentEncode(value, UNSAFE) || '_',

  refuse(topic) {
    if (topic === '') return 'it is empty';
    if (/[+#]/.test(topic)) return 'it holds a wildcard (+ or #), which only a subscription may';
    if (topic.startsWith('$')) return 'it begins with $, which the broker keeps for itself';
    if (ILLEGAL.test(topic)) return 'it holds a character that MQTT does not allow, such as a control character';
    const bytes = Buffer.byteLength(topic);
    if (bytes > MAX_BYTES) return `it has ${bytes} bytes; MQTT allows ${MAX_BYTES}`;
    return undefined;
  },
};
