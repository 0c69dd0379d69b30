import fc from 'fast-check';
import { expect, test } from 'vitest';
import { harmlessJson } from '../../src/cli/plain-text.ts';
import { pointInTime } from '../../src/cli/point-in-time.ts';
import { appendLive, die, open, routeName, temporaryPlace } from '../journal/fixture.ts';
import { runCli } from './run-cli.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
const NOW = Date.parse('2026-11-25T12:00:00Z');

test.each([
  ['2h', '2026-11-25T10:00:00Z'],
  ['1d12h', '2026-11-24T00:00:00Z'],
  ['0s', '2026-11-25T12:00:00Z'],
  ['2026-11-25T19:04:05Z', '2026-11-25T19:04:05Z'],
  ['2026-11-25 19:04:05Z', '2026-11-25T19:04:05Z'],
  ['2026-11-25T19:04+01:00', '2026-11-25T18:04:00Z'],
  ['2026-11-25', '2026-11-25T00:00:00Z'],
])('%s is a point in time', (text, expected) => {
  expect(pointInTime(text, NOW)).toBe(Date.parse(expected));
});

test.each([
  ['yesterday', 'Write it as 2h'],
  ['2', 'Write it as 2h'],
  ['2026-11-25 19:04', 'In which zone? Write 2026-11-25 19:04Z for UTC.'],
  ['2026-13-25', 'There is no such time'],
])('%s is none, and it is said why', (text, why) => {
  expect(() => pointInTime(text, NOW)).toThrow(why);
});

test('a CloudEvent is shown as JSON in which no text can move the cursor or hide itself', { timeout: 30_000 }, () => {
  expect(harmlessJson({ note: 'a\u001b[2J\u202e\u{e0041}' }, 2)).toBe(
    '{\n  "note": "a\\u001b[2J\\u202e\\udb40\\udc41"\n}',
  );
  fc.assert(
    fc.property(fc.dictionary(text, text, { maxKeys: 3 }), (value) => {
      const shown = harmlessJson(value, 2);
      expect(JSON.parse(shown)).toEqual(value);
      expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test.each([
  [['show'], 'Show which?'],
  [['replay'], 'Replay which? Say --route'],
  [['drop'], 'or --all'],
  [['drop', '3', '--all'], '--all goes with none of the others'],
  [['list', '--reason', 'too-big'], 'Allowed choices are too-large'],
  [['list', '--since', '1h', '--until', '2h'], '--since is after --until'],
  [['list', '--limit', '0'], 'a whole number above 0'],
  [['list'], 'Which journal?'],
  [['frobnicate'], 'unknown command'],
])('dead-letters %j is told what is wrong with it', async (args, words) => {
  const { code, said } = await runCli(['dead-letters', ...args]);
  expect({ code, said }).toEqual({ code: 2, said: expect.stringContaining(words) });
});

test('a person sees which there are, why, and how many; and a script the same', { timeout: 200_000 }, async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await journal.openRoute(routeName('edge'), { startFrom: 'oldest', atQuota: 'expire' });
    await appendLive(journal, 1, 3);
    await die(journal, routeName('edge'), 3, { detail: 'it has 2 MiB\u001b[2J', parkedAt: NOW });
  }
  const here = ['--journal', place.path];
  const { code, out } = await runCli(['dead-letters', 'list', ...here, '--limit', '2']);
  expect({ code, out }).toEqual({
    code: 0,
    out: `     2  2026-11-25 12:00:00Z  edge  too-large  Pod/web/pod-2  0.1 KiB
        to topic: it has 2 MiB\\u{1b}[2J
     3  2026-11-25 12:00:00Z  edge  too-large  Pod/web/pod-3  0.1 KiB
        to topic: it has 2 MiB\\u{1b}[2J

3 dead letters: 3 of edge too-large.
Only the newest are shown; --limit shows more.
No daemon runs: this is how it has left the journal.
`,
  });
  const json = await runCli(['dead-letters', 'list', ...here, '--json', '--id', 'uid.2']);
  const lines = json.out.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
  expect(lines).toMatchObject([
    { kind: 'dead-letter', id: 2, detail: 'it has 2 MiB\u001b[2J' },
    { kind: 'end', count: 1 },
  ]);
  const shown = await runCli(['dead-letters', 'show', '3', ...here]);
  expect(shown.out).toContain('Dead letter 3 of route edge, since 2026-11-25 12:00:00Z: too-large\n  to topic: it has');
  expect(JSON.parse(shown.out.slice(shown.out.indexOf('{\n')))).toMatchObject({ id: 'uid.3', data: { rv: '3' } });
  const none = await runCli(['dead-letters', 'show', '99', ...here]);
  expect(none).toMatchObject({ code: 1, said: expect.stringContaining('There is no dead letter 99') });
});

test('what was replayed or dropped is said by route, with its ids', { timeout: 200_000 }, async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    for (const route of ['edge', 'old'].map(routeName)) {
      await journal.openRoute(route, { startFrom: 'oldest', atQuota: 'expire' });
      if (route === 'edge') await appendLive(journal, 1, 15);
      await die(journal, route, route === 'edge' ? 15 : 1);
    }
    await journal.closeRoute(routeName('old'));
  }
  const letters = (...args: string[]) => runCli(['dead-letters', ...args, '--journal', place.path]);
  expect(await letters('drop', '15')).toEqual({ code: 0, out: 'Dropped 1 dead letter of edge: 15\n', said: '' });
  expect(await letters('replay', '--all')).toEqual({
    code: 0,
    out: `Replayed 14 dead letters of edge (its replay 1): 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …
Left 1 dead letter of old: the route old is no longer in the config, and nobody would send its dead letters: drop them, or put it back.
No daemon runs: they go out when one does.
`,
    said: '',
  });
  expect(await letters('replay', '--all')).toMatchObject({
    code: 1,
    said: expect.stringContaining('no longer in the config'),
  });
  expect(await letters('drop', '--all', '--json')).toEqual({
    code: 0,
    out: '{"kind":"dropped","route":"old","ids":[16]}\n{"kind":"end","count":1,"running":false}\n',
    said: '',
  });
  expect(await letters('drop', '--all')).toMatchObject({ code: 1, said: 'There is no dead letter.\n' });
});
