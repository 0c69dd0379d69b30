import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { loadConfig } from '../../src/config/load.ts';
import { compileRoute } from '../../src/routing/compile.ts';

const folder = join(import.meta.dirname, '../../config');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('an example config', () => {
  it.each(files)('%s is valid, and its routes can be made', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const loaded = loadConfig(text, { file: name, adapters: adapterTypes, env: { CLUSTER: 'prod-eu' } });
    expect(loaded).not.toHaveProperty('diagnostics');
    if (!('config' in loaded)) return;
    const { routes, brokers } = loaded.config;
    for (const route of routes) {
      const type = brokers.get(route.broker)?.type;
      expect(type && compileRoute(route, type).name).toBe(route.name);
    }
  });
});
