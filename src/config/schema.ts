/**
 * The shape of a config file. What depends on other parts of the file (a route's `to` on its broker's kind, for one) is
 * checked by `routes.ts` afterwards. The descriptions go into the JSON Schema, where editors show them.
 */
import { z } from 'zod';
import { type AdapterType, choice, secret } from '../adapter.ts';
import { duration, size } from './quantity.ts';

const API_VERSION = 'kube-fanout/v1alpha1';

/** For what ends up in metric labels, client ids and deduplication ids. */
const name = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/, {
  error: 'a name of at most 63 letters, digits and hyphens',
});
const text = z.string().min(1, { error: 'some text' });
const port = z.int().min(1).max(65_535);

const kubernetes = z
  .strictObject({
    namespaces: z
      .array(text)
      .default([])
      .describe('Watch only these namespaces, one stream each. Default: all, in one.'),
    fieldSelector: text.optional().describe('A field selector of core/v1 Events, such as type!=Normal.'),
    startFrom: z.enum(['oldest', 'now']).default('oldest').describe('Where the very first start begins.'),
    kubeconfig: text.optional().describe('A kubeconfig file. Default: in the cluster its own, outside the usual one.'),
    context: text.optional().describe('A context of the kubeconfig. Default: the current one.'),
    server: z
      .url({ protocol: /^https?$/, error: 'an http or https URL' })
      .optional()
      .describe('The API server itself.'),
    caFile: text.optional().describe('With `server`: a PEM file with the certificate authority.'),
    token: secret().optional().describe('With `server`: a bearer token.'),
  })
  .check(({ value, issues }) => {
    const { server, caFile, token, kubeconfig, context } = value;
    const refuse = (message: string) =>
      issues.push({ code: 'custom', input: value, message, params: { excludes: true } });
    if (server !== undefined && (kubeconfig ?? context) !== undefined)
      refuse('the server is named, and so is a kubeconfig');
    if (server === undefined && (caFile ?? token) !== undefined) refuse('caFile and token go with server');
  });

const source = z.strictObject({ kubernetes: kubernetes.prefault({}) });

const journal = z.strictObject({
  path: text.default('kube-fanout.db').describe('The SQLite file.'),
  retain: duration().prefault('24h').describe('How long delivered records are kept for a replay.'),
  maxSize: size().prefault('2GiB').describe("The quota; what happens at it is each route's `atQuota`."),
  maxDeadLetters: z
    .int()
    .min(1)
    .default(100_000)
    .describe('Beyond it the oldest of the route that has the most are let go.'),
  sync: z.enum(['full', 'normal']).default('full').describe('normal: a power cut may cost the last second.'),
});

const route = z.strictObject({
  name,
  when: z.string().optional().describe('A CEL expression over `event` and `key`. Default: every Event.'),
  to: z.looseObject({ broker: z.string().describe('A name from `brokers`.') }),
  key: z.string().optional().describe('A CEL expression: what order is kept by. Default: the object key.'),
  gaps: z.boolean().default(true).describe('Whether gap records go to this route.'),
  maxAge: duration().optional().describe('What occurred longer ago is counted as expired, not delivered.'),
  atQuota: z.enum(['expire', 'block']).default('expire').describe('At the quota: lose the oldest, or stop the source.'),
  startFrom: z.enum(['now', 'oldest']).default('now').describe('Where a new route begins in the journal.'),
  limit: z.never({ error: '`limit` comes with a later version.' }).optional(),
});

const metrics = z.strictObject({
  host: text.default('127.0.0.1').describe('The address to listen on; 0.0.0.0 in a container.'),
  port: port.describe('The port to listen on.'),
});

export function fileSchema(adapters: readonly AdapterType[]) {
  const broker = choice(Object.fromEntries(adapters.map((type) => [type.name, type.brokerOptions])));
  return z.strictObject({
    apiVersion: z.literal(API_VERSION).describe('The version of this format.'),
    cluster: text.describe("The name of the cluster, part of every CloudEvent's source."),
    source: source.prefault({}),
    journal: journal.prefault({}),
    brokers: z.record(name, broker).describe('Where Events can go, by a name of your choice.'),
    routes: z.array(route).min(1, { error: 'at least one route' }).describe('Which Events go where.'),
    metrics: metrics.optional().describe('Serves the counters for Prometheus. Default: not at all.'),
  });
}

export type ConfigFile = z.output<ReturnType<typeof fileSchema>>;
