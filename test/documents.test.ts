/** What the documents say is held against what is there. docs/config.md has its own test, beside the config's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { adapterTypes } from '../adapters/registry.ts';
import { EXIT } from '../src/cli/exit-codes.ts';
import { loadConfig } from '../src/config/load.ts';
import { envelopeOf } from '../src/envelope/event.ts';
import { backOff, inCoreV1 } from './envelope/events.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = [...markdownIn('.'), ...markdownIn('docs'), 'src/source/SPEC.md', 'src/journal/README.md'];
const readme = textOf('README.md');

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => normalize(join(folder, name)));
}

/** The rows of the tables below this heading, as cells without their blanks. */
function tableBelow(text: string, heading: string): string[][] {
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  const [body = ''] = section.split('\n## ');
  const rows = body.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test.each(documents)('%s links to nothing that is not here', (path) => {
  const targets = [...textOf(path).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = '']) => target);
  const local = targets.filter((target) => !/^https?:/.test(target));
  expect(local.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
});

describe('the README', () => {
  test('lists the exit codes as they are', () => {
    const codes = tableBelow(readme, 'Exit codes').map(([code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });

  test('lists each attribute of a CloudEvent, and no other', () => {
    const record = envelopeOf(inCoreV1(backOff()), { cluster: 'c', origin: 'live', now: new Date(0) });
    if ('refused' in record) throw new Error(record.refused);
    const listed = tableBelow(readme, 'What arrives').flatMap(([names = '']) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(listed.toSorted()).toEqual([...Object.keys(record.attributes), 'origin'].toSorted());
  });

  test('shows a config that is valid', () => {
    const [, yaml = ''] = readme.split('```yaml\n');
    const [text = ''] = yaml.split('```');
    expect(loadConfig(text, { file: 'README.md', adapters: adapterTypes })).not.toHaveProperty('diagnostics');
  });

  test('subscribes in containers that compose has, to what compose makes', () => {
    const { services } = parse(textOf('docker-compose.yml'), { merge: true });
    const named = [...readme.matchAll(/docker compose (?:exec|run --rm) ([\w-]+) (.*(?:\\\n.*)?)/g)];
    expect(named.map(([, service]) => service)).toEqual(['kafka', 'mosquitto', 'nats-cli', 'pubsub']);
    const config = textOf('config/compose.yaml');
    for (const [line, service = ''] of named) {
      expect(services).toHaveProperty(service);
      const [destination = ''] = /k8s[-./]\w*/.exec(line) ?? [];
      expect(config).toContain(destination);
    }
  });
});

describe('ARCHITECTURE.md', () => {
  const text = textOf('ARCHITECTURE.md');
  const rows = tableBelow(text, 'What is promised, and which test holds it');

  test('is short enough to be read', () => {
    expect(text.split('\n').length).toBeLessThan(200);
  });

  test.each(rows)('names a test that is there: %s', (_invariant, heldBy = '') => {
    const [, path = '', name = ''] = /^`(test\/[\w./-]+\.ts)` — (.+)$/.exec(heldBy) ?? [];
    expect(path).not.toBe('');
    expect(textOf(path)).toContain(name);
  });
});

test('docs/envelope.md says of each broker how it carries an event, and whether it keeps it', () => {
  const rows = tableBelow(textOf('docs/envelope.md'), 'On each broker');
  const said = rows.map(([name, mode, , , kept]) => ({
    name: name?.slice(1, -1),
    mode,
    stores: kept?.split('; ')[1]?.startsWith('yes'),
  }));
  expect(said).toEqual(adapterTypes.map(({ name, capabilities: { mode, stores } }) => ({ name, mode, stores })));
});
