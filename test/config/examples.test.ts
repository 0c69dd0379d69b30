import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { loadConfig } from '../../src/config/load.ts';
import { renderDiagnostics } from '../../src/config/render.ts';
import { compileRoute } from '../../src/routing/compile.ts';

const root = join(import.meta.dirname, '../..');
const filesIn = (folder: string, end: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(end))
    .map((name) => join(folder, name));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const examples = filesIn('config', '.yaml').map((path) => ({ name: path, text: read(path) }));

/** Whole configs that the documents show, at the line where each begins. */
const shown = ['README.md', ...filesIn('docs', '.md')].flatMap((path) => {
  const page = read(path);
  return [...page.matchAll(/^```yaml\n(apiVersion: kube-fanout\/[\s\S]*?)^```$/gm)].map(({ index, 1: text = '' }) => ({
    name: `${path}:${page.slice(0, index).split('\n').length + 1}`,
    text,
  }));
});

describe('a config that users are shown', () => {
  it.each([...examples, ...shown])('is valid, and its routes can be made: $name', ({ name, text }) => {
    const loaded = loadConfig(text, { file: name, adapters: adapterTypes, env: { CLUSTER: 'prod-eu' } });
    expect('diagnostics' in loaded ? renderDiagnostics(loaded.diagnostics) : '').toBe('');
    if (!('config' in loaded)) return;
    const { routes, brokers } = loaded.config;
    for (const route of routes) {
      const type = brokers.get(route.broker)?.type;
      expect(type && compileRoute(route, type).name).toBe(route.name);
    }
  });
});
