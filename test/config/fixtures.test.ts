import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { CODES } from '../../src/config/diagnostic.ts';
import { loadConfig } from '../../src/config/load.ts';
import { renderDiagnostics } from '../../src/config/render.ts';

const folder = join(import.meta.dirname, 'fixtures');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

/** What the fixtures with references refer to. */
const env = {
  KUBE_FANOUT_TEST_NAME: 'from-outside',
  KUBE_FANOUT_TEST_FALSE: 'false',
  KUBE_FANOUT_TEST_DURATION: '5m',
  KUBE_FANOUT_TEST_BROKER: 'edge',
  KUBE_FANOUT_TEST_TOPIC: 'k8s/{event.reason}',
  KUBE_FANOUT_TEST_URL: 'mqtt://127.0.0.1:1883',
  KUBE_FANOUT_TEST_PORT: '9090',
};

function load(name: string) {
  return loadConfig(readFileSync(join(folder, name), 'utf8'), { file: name, adapters: adapterTypes, env });
}

describe('a config file with mistakes', () => {
  it.each(files.filter((name) => !name.startsWith('valid-')))(
    '%s says all that is wrong, where, and what to do',
    async (name) => {
      const loaded = load(name);
      const diagnostics = 'diagnostics' in loaded ? loaded.diagnostics : [];
      expect(diagnostics).not.toHaveLength(0);
      const expected = join(folder, `${basename(name, '.yaml')}.txt`);
      await expect(`${renderDiagnostics(diagnostics)}\n`).toMatchFileSnapshot(expected);
    },
  );

  it('can make every code but that of an unreadable file', () => {
    const seen = files.flatMap((name) => {
      const loaded = load(name);
      return 'diagnostics' in loaded ? loaded.diagnostics.map(({ code }) => code) : [];
    });
    expect([...new Set(seen), 'KF101'].sort()).toEqual(Object.keys(CODES));
  });

  it('never shows a secret', () => {
    const loaded = load('secret-in-plain-text.yaml');
    expect(JSON.stringify(loaded)).not.toContain('top-secret');
    expect('diagnostics' in loaded && renderDiagnostics(loaded.diagnostics)).not.toContain('top-secret');
  });
});

describe('a config file without mistakes', () => {
  it.each(files.filter((name) => name.startsWith('valid-')))('%s is loaded', (name) => {
    expect(load(name)).not.toHaveProperty('diagnostics');
  });
});
