import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { CODES } from '../../src/config/diagnostic.ts';
import { type JsonSchema, jsonSchemaOf } from '../../src/config/keys.ts';
import { loadConfig } from '../../src/config/load.ts';
import { fileSchema } from '../../src/config/schema.ts';
import { VOCABULARY } from '../../src/routing/vocabulary.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/config.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| '));

function keysOf({ properties = {}, items, additionalProperties }: JsonSchema, path: string): string[] {
  if (items?.properties !== undefined) return keysOf(items, `${path}[]`);
  if (typeof additionalProperties === 'object' && additionalProperties.properties) return [`${path}.NAME`];
  const names = Object.keys(properties);
  if (names.length === 0 || names.includes('env')) return [path];
  return names.flatMap((name) => keysOf(properties[name] ?? {}, path === '' ? name : `${path}.${name}`));
}

describe('the reference of the config file', () => {
  it('lists each key that the schema has, and no other', () => {
    const listed = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, key]) => key));
    const documented = listed.filter((key) => key !== undefined && !/^event|to\.(topic|subject|…)$/.test(key));
    expect(documented.sort()).toEqual(keysOf(jsonSchemaOf(fileSchema(adapterTypes)), '').sort());
  });

  it('lists each field that expressions may use, and no other', () => {
    const fields = rows.filter((row) => row.startsWith('| `event')).map((row) => row.split(' | ')[1]?.match(/\w+/g));
    const { Event, Metadata, Reference, Series, Source } = VOCABULARY;
    expect(fields).toEqual([Event, Metadata, Reference, Series, Source].map((type) => Object.keys(type)));
  });

  it('lists each option of each kind of broker, and no other', () => {
    const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
    const listed = cells.flatMap(([, kinds = '', option = '']) =>
      kinds.split(', ').map((kind) => `${kind} ${option.replaceAll('`', '')}`),
    );
    const kinds = Object.values(adapterTypes);
    const options = kinds.flatMap(({ name, brokerOptions }) =>
      Object.keys(jsonSchemaOf(brokerOptions).properties ?? {}).map((option) => `${name} ${option}`),
    );
    const ofBrokers = listed.filter((line) => kinds.some(({ name }) => line.startsWith(`${name} `)));
    expect(ofBrokers.sort()).toEqual(options.sort());
  });

  it('lists each code of a diagnostic with its meaning, and no other', () => {
    const codes = rows.filter((row) => row.startsWith('| KF')).map((row) => row.split('|').map((cell) => cell.trim()));
    expect(Object.fromEntries(codes.map(([, code, title]) => [code, title]))).toEqual(CODES);
  });

  it('says the defaults as they are', () => {
    const text = `apiVersion: kube-fanout/v1alpha1
cluster: c
brokers: { out: { stdout: {} } }
routes: [{ name: all, to: { broker: out } }]
metrics: { port: 9090 }`;
    const loaded = loadConfig(text, { file: 'defaults', adapters: adapterTypes });
    expect(loaded).toMatchObject({
      config: {
        source: { namespaces: [], fieldSelector: undefined, startFrom: 'oldest', cluster: { kind: 'ambient' } },
        journal: {
          path: 'kube-fanout.db',
          retainMs: 24 * 3_600_000,
          maxBytes: 2 * 1024 ** 3,
          maxDeadLetters: 100_000,
          sync: 'full',
        },
        routes: [
          { when: undefined, key: undefined, gaps: true, maxAgeMs: undefined, atQuota: 'expire', startFrom: 'now' },
        ],
        metrics: { host: '127.0.0.1', port: 9090 },
      },
    });
  });
});
