import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { adapterTypes } from '../../adapters/registry.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { loadConfig } from '../../src/config/load.ts';

const config = join(import.meta.dirname, '../../config');
const fixtures = join(import.meta.dirname, 'fixtures');
const schema = configJsonSchema(adapterTypes);
const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);

/** Keys that exclude each other, no YAML that makes sense, and a wrong shape that the loader blames on YAML. */
const BEYOND_A_SCHEMA = ['server-and-kubeconfig.yaml', 'star-taken-for-alias.yaml', 'braces-alone-taken-for-map.yaml'];

const judged = [
  ...readdirSync(fixtures).map((name) => join(fixtures, name)),
  ...readdirSync(config).map((name) => join(config, name)),
]
  .filter((path) => path.endsWith('.yaml') && !BEYOND_A_SCHEMA.some((name) => path.endsWith(name)))
  .map((file) => ({ name: basename(file), text: readFileSync(file, 'utf8') }))
  // What is no YAML, a schema never sees.
  .filter(({ text }) => parseDocument(text).errors.length === 0);

describe('the JSON Schema for editors', () => {
  it('is the one in config/schema.json', async () => {
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(config, 'schema.json'));
  });

  it.each(judged)('agrees with the loader about $name', ({ name, text }) => {
    const loaded = loadConfig(text, { file: name, adapters: adapterTypes, env: {} });
    const codes = 'diagnostics' in loaded ? loaded.diagnostics.map(({ code }) => code) : [];
    const wrongShape = codes.some((code) => /^KF(106|2..)$/.test(code));
    const accepted = validate(parse(text));
    // What an expression says, a schema cannot read.
    if (wrongShape) expect(accepted).toBe(false);
    else expect(validate.errors).toBeNull();
  });
});
