import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { loadConfig } from '../../src/config/load.ts';
import { renderDiagnostics } from '../../src/config/render.ts';

const folder = join(import.meta.dirname, 'fixtures');
const texts = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(folder, name), 'utf8'));

/** What breaks a file in the ways that people do, and in some that they do not. */
const scrap = fc.oneof(
  fc.constantFrom(
    ': ',
    ' #',
    '!',
    '*',
    '&',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|',
    '\n',
    '\n  ',
    '\t',
    '- ',
    '$' + '{',
    '{env: X}',
  ),
  fc.constantFrom(
    'routes:',
    'brokers:',
    '__proto__: {a: 1}',
    'constructor: 1',
    'null',
    '---\n',
    '%YAML 9\n',
    '<<: *x',
    '? ',
    '\r',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const edit = fc.record({ at: fc.nat({ max: 1_000 }), remove: fc.nat({ max: 30 }), insert: scrap });

describe('any text at all', () => {
  it('is a config, or gets diagnostics that point into it, and never an exception', () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(edit, { maxLength: 4 }), (text, edits) => {
        const broken = edits.reduce((so, { at, remove, insert }) => {
          const from = at % (so.length + 1);
          return so.slice(0, from) + insert + so.slice(from + remove);
        }, text);
        const loaded = loadConfig(broken, { file: 'f.yaml', adapters: adapterTypes, env: {} });
        if ('config' in loaded) return;
        expect(loaded.diagnostics).not.toHaveLength(0);
        const lines = broken.split('\n');
        for (const { line, column, endColumn } of loaded.diagnostics) {
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
          expect(endColumn).toBeGreaterThan(column);
        }
        expect(renderDiagnostics(loaded.diagnostics)).not.toMatch(/[^\P{Cc}\n]/u);
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 150) },
    );
  }, 60_000);
});
