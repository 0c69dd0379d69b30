/** docs/operations.md is held against the commands and the fields that there are. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { REASONS } from '../src/adapter.ts';
import { deadLetters, showDeadLetters } from '../src/control/dead-letters.ts';
import { replay } from '../src/control/replay.ts';
import { dropDeadLetters, replayDeadLetters } from '../src/control/replay-dead-letters.ts';
import { status } from '../src/control/status.ts';
import { trace } from '../src/control/trace.ts';
import { runCli } from './cli/run-cli.ts';
import { appendLive, drain, open, routeName, temporaryPlace } from './journal/fixture.ts';

const text = readFileSync(fileURLToPath(new URL('../docs/operations.md', import.meta.url)), 'utf8');

function section(heading: string): string {
  return text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
}

/** Every name of a field in the schema, however deep. */
function fieldsOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(fieldsOf);
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    const own = key === 'properties' && typeof value === 'object' && value !== null ? Object.keys(value) : [];
    return [...own, ...fieldsOf(value)];
  });
}

/** What stands as a constant in the schema: the values that a field may have. */
function constantsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  if ('const' in schema) return [String(schema.const)];
  if ('enum' in schema && Array.isArray(schema.enum)) return schema.enum.map(String);
  return Object.values(schema).flatMap(constantsOf);
}

test.each([
  ['Status', status.item],
  ['Trace', trace.item],
  ['Replay', replay.item],
  ['Dead letters', deadLetters.item],
  ['Dead letters', showDeadLetters.item],
  ['Dead letters', replayDeadLetters.item],
  ['Dead letters', dropDeadLetters.item],
])('%s names every field of its JSON', (heading, item) => {
  const said = section(heading);
  const missing = fieldsOf(z.toJSONSchema(item)).filter((field) => !said.includes(`\`${field}\``));
  expect(missing).toEqual([]);
});

test('Trace names every state that a record can have, and for what it waits', () => {
  const said = section('Trace');
  const names = constantsOf(z.toJSONSchema(trace.item));
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !said.includes(`\`${name}\``))).toEqual([]);
});

test('Dead letters names every reason that there is for one', () => {
  const said = section('Dead letters');
  expect(REASONS.reject.filter((reason) => !said.includes(`| \`${reason}\` |`))).toEqual([]);
});

test('each command can be typed as it stands there', { timeout: 300_000 }, async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    for (const name of ['all', 'edge'])
      await journal.openRoute(routeName(name), { startFrom: 'oldest', atQuota: 'expire' });
    await appendLive(journal, 1, 5);
  }
  const config = join(place.directory, 'routes.yaml');
  await writeFile(
    config,
    `apiVersion: kube-fanout/v1alpha1
cluster: test
journal: { path: ${place.path} }
brokers: { out: { stdout: {} } }
routes: [{ name: all, to: { broker: out } }, { name: edge, to: { broker: out } }]
`,
  );
  const commands = [...text.matchAll(/^kube-fanout ((?:status|trace|replay|dead-letters) .*)$/gm)].map(
    ([, command = '']) => command,
  );
  expect(commands.length).toBeGreaterThan(15);
  for (const command of commands) {
    const here = command.replace('routes.yaml', config).replace('/var/lib/kube-fanout/journal.db', place.path);
    if (command.startsWith('replay')) await deliver(place);
    const { code, out, said } = await runCli(here.split(' '));
    const answers = /^status|-letters list|^replay .*--from (?!0541234)/.test(command);
    expect({ command, code }).toEqual({ command, code: answers ? 0 : 1 });
    const words = command.includes('--json') ? '"running":false' : /No daemon runs|how it has left the journal/;
    if (/-letters (?!list)/.test(command)) expect(said).toMatch(/no dead letter/i);
    else if (command.includes('0541234')) expect(said).toContain('Nothing from there on is in the journal');
    else expect(out).toMatch(words);
  }
  const { code, out } = await runCli(['trace', '-c', config, '--for', 'pod/pod-3']);
  expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('… all   waiting, behind 2') });
});

/** One of the routes has delivered all that there is. */
async function deliver(place: Parameters<typeof open>[0]): Promise<void> {
  await using journal = await open(place);
  await drain(journal, routeName('edge'));
}
