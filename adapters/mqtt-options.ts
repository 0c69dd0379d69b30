import { z } from 'zod';
import { secret } from '../src/adapter.ts';
import { tlsFiles } from './tls-files.ts';

const SECURE = ['mqtts:', 'wss:'];

const brokerUrl = z
  .url({ protocol: /^(mqtts?|wss?)$/, error: 'a URL such as mqtt://host:1883, mqtts://host:8883 or wss://host/mqtt' })
  .refine(
    (url) => (URL.parse(url)?.username ?? '') === '',
    'the login does not belong into the URL: say username and password',
  );

/** The entry under `brokers`. */
export const mqttBroker = z
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

/** What a route's `to` adds to it. */
export const mqttRoute = z.strictObject({
  mode: z.enum(['binary', 'structured']).default('structured'),
  /** The broker keeps the last message of each topic for new subscribers. */
  retain: z.boolean().default(false),
});

export type MqttBroker = z.output<typeof mqttBroker>;
export type MqttRoute = z.output<typeof mqttRoute>;
