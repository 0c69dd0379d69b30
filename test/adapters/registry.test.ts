import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type AdapterName, adapterTypes } from '../../adapters/registry.ts';

const root = join(import.meta.dirname, '../..');

/** Where each adapter is held to its contract, on a real broker: a new one does not compile until that is stated. */
const CONTRACTS: Readonly<Record<AdapterName, string>> = {
  kafka: 'kafka.real.test.ts',
  mqtt: 'mqtt.real.test.ts',
  nats: 'nats.real.test.ts',
  'nats-core': 'nats.real.test.ts',
  pubsub: 'pubsub.real.test.ts',
  stdout: 'stdout.test.ts',
};

test('every adapter goes by its own name', () => {
  expect(adapterTypes.map(({ name }) => name).sort()).toEqual(Object.keys(CONTRACTS).sort());
});

test.for(Object.entries(CONTRACTS))('%s is held to its contract in %s', async ([, file]) => {
  expect(await readFile(join(root, 'test/contract', file), 'utf8')).toMatch(/\badapterContract\(/);
});

test('a daemon loads the client of a broker only when a route goes there', async () => {
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    const { adapterTypes } = await import('./adapters/registry.ts');
    process.stdout.write(JSON.stringify({ adapters: adapterTypes.length, loaded }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  const { adapters, loaded } = JSON.parse(stdout) as { adapters: number; loaded: readonly string[] };
  expect(adapters).toBe(adapterTypes.length);
  const packages = new Set(loaded.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []));
  expect([...packages]).toEqual(['zod']);
});
