import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import type { Config } from '../../src/config/config.ts';
import { type LoadOptions, loadConfig, readConfigFile } from '../../src/config/load.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kube-fanout-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const HEAD = 'apiVersion: kube-fanout/v1alpha1\ncluster: c\n';

function load(text: string, more: Partial<LoadOptions> = {}) {
  return loadConfig(HEAD + text, { file: 'f.yaml', adapters: adapterTypes, ...more });
}

function configOf(text: string, more: Partial<LoadOptions> = {}): Config {
  const loaded = load(text, more);
  if ('diagnostics' in loaded) throw new Error(loaded.diagnostics.map(({ message }) => message).join('\n'));
  return loaded.config;
}

const route = 'routes: [{ name: all, to: { broker: out } }]\n';
const secured = (password: string) => `brokers:
  out: { mqtt: { url: "mqtt://127.0.0.1", username: u, password: ${password} } }
routes: [{ name: all, to: { broker: out, topic: t } }]
`;

describe('a value from outside', () => {
  it('becomes the number or truth value that its place wants', () => {
    const text = `brokers: { out: { mqtt: { url: "mqtt://127.0.0.1" } } }
routes: [{ name: all, gaps: { env: GAPS }, to: { broker: out, topic: { env: TOPIC }, retain: { env: RETAIN } } }]
metrics: { port: { env: PORT } }`;
    const config = configOf(text, { env: { GAPS: 'false', TOPIC: '12', RETAIN: 'true', PORT: '9090' } });
    expect(config.metrics?.port).toBe(9090);
    expect(config.routes[0]).toMatchObject({ gaps: false, destination: '12', options: { retain: true } });
  });

  it('may stand in a file, whose last line break is none of it', () => {
    writeFileSync(join(folder, 'when.cel'), 'event.type == "Warning"\n');
    const text = `brokers: { out: { stdout: {} } }
routes: [{ name: all, when: { file: ${join(folder, 'when.cel')} }, to: { broker: out } }]`;
    expect(configOf(text).routes[0]?.when).toBe('event.type == "Warning"');
  });

  it('is not shown when it is wrong, for it may be a secret that went astray', () => {
    const text = `brokers: { out: { stdout: {} } }\n${route}metrics: { port: { env: PORT } }`;
    const loaded = load(text, { env: { PORT: 'top-secret' } });
    expect(loaded).toMatchObject({
      diagnostics: [
        { code: 'KF203', line: 5, found: 'what is in the environment variable PORT', expected: 'a number' },
      ],
    });
    expect(JSON.stringify(loaded)).not.toContain('top-secret');
  });
});

describe('a secret', () => {
  it('is not looked at by a check away from where the daemon runs', () => {
    expect(load(secured('{ env: UNSET }'), { env: {} })).toHaveProperty('config');
    expect(load(secured('{ file: /nonexistent/secret }'))).toHaveProperty('config');
  });

  it('that is not there is an error where it is needed', () => {
    const needSecrets = true;
    expect(load(secured('{ env: UNSET }'), { env: {}, needSecrets })).toMatchObject({
      diagnostics: [{ code: 'KF303' }],
    });
    expect(load(secured('{ file: /nonexistent/secret }'), { needSecrets })).toMatchObject({
      diagnostics: [{ code: 'KF304', line: 4, column: 66 }],
    });
  });

  it('that is kept elsewhere than before makes another config, so that a reload sees it', () => {
    const options = (password: string) => configOf(secured(password)).brokers.get('out')?.options;
    expect(isDeepStrictEqual(options('{ env: A }'), options('{ env: A }'))).toBe(true);
    expect(isDeepStrictEqual(options('{ env: A }'), options('{ env: B }'))).toBe(false);
  });
});

describe('the cluster', () => {
  const source = (kubernetes: string) =>
    configOf(`source: { kubernetes: ${kubernetes} }\nbrokers: { out: { stdout: {} } }\n${route}`);

  it('is the one around unless the file names one', () => {
    expect(source('{}').source.cluster).toEqual({ kind: 'ambient' });
    expect(source('{ context: kind }').source.cluster).toEqual({
      kind: 'kubeconfig',
      path: undefined,
      context: 'kind',
    });
  });

  it('may be a server, with a token that stays secret', async () => {
    writeFileSync(join(folder, 'token'), 't0ken\n');
    const { cluster } = source(
      `{ server: "https://127.0.0.1:6443", token: { file: ${join(folder, 'token')} } }`,
    ).source;
    expect(cluster).toMatchObject({ kind: 'server', url: 'https://127.0.0.1:6443', caFile: undefined });
    expect(JSON.stringify(cluster)).not.toContain('t0ken');
    expect(cluster.kind === 'server' && (await cluster.token?.reveal())).toBe('t0ken');
  });
});

describe('a file', () => {
  it('that cannot be read is a diagnostic like others', async () => {
    const missing = join(folder, 'missing.yaml');
    const loaded = await readConfigFile(missing, { adapters: adapterTypes });
    expect(loaded).toMatchObject({ diagnostics: [{ code: 'KF101', file: missing, line: 1, column: 1 }] });
  });
});
