import { expect, test } from 'vitest';
import { replayText } from '../../src/cli/replay.ts';
import { replayFrom } from '../../src/cli/replay-from.ts';
import { appendLive, drain, open, routeName, temporaryPlace } from '../journal/fixture.ts';
import { runCli } from './run-cli.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');

test.each([
  ['oldest', { kind: 'oldest' }],
  ['2h', { kind: 'time', at: NOW - 7_200_000 }],
  ['2026-11-25T10:00:00Z', { kind: 'time', at: NOW - 7_200_000 }],
  ['2026-11-25', { kind: 'time', at: NOW - 43_200_000 }],
  ['41234', { kind: 'position', positions: ['0541234'] }],
  ['0541234', { kind: 'position', positions: ['0541234'] }],
  ['0541234!', { kind: 'position', positions: ['0541234!'] }],
  ['5e3c0a52-6f8e-4e57-9c3b-7d1c2f1f3a10.41234', { kind: 'position', positions: ['0541234'] }],
  // It may be either; the journal knows.
  ['104111111111', { kind: 'position', positions: ['12104111111111', '104111111111'] }],
])('--from %s', (text, expected) => {
  expect(replayFrom(text, NOW)).toEqual(expected);
});

test.each([
  ['yesterday', 'Write oldest, 2h'],
  ['-2h', 'Write oldest, 2h'],
  ['0441234', 'neither a sequence (041234) nor a resourceVersion'],
  ['2026-11-25 10:00', 'In which zone? Write 2026-11-25 10:00Z'],
  ['2h ago', 'Write it as 2h'],
])('--from %s is refused in words', (text, why) => {
  expect(() => replayFrom(text, NOW)).toThrow(why);
});

test('it says how much comes again, of which stream, and who sends it', () => {
  const streams = [
    { stream: 'web', records: 1_200, from: '0541234', to: '0542500', storedAt: '2026-11-25T10:00:00.123Z' },
    { stream: 'payments', records: 34, from: '0541300', to: '0542490', storedAt: '2026-11-25T10:00:01.000Z' },
  ];
  const replay = { route: 'all', running: true, number: 2, records: 1_234, streams };
  expect(replayText(replay).split('\n')).toEqual([
    'Route all sends 1,234 records again, as replay 2:',
    '  web       1,200  from 0541234, stored 2026-11-25 10:00:00Z, to 0542500',
    '  payments     34  from 0541300, stored 2026-11-25 10:00:01Z, to 0542490',
    'They say origin "replay"; what `when` filters is left out. What is new comes behind them.',
    '`kube-fanout status` shows how many are left.',
    '',
  ]);
  expect(replayText({ ...replay, running: false })).toContain('No daemon runs: the next one sends them.');
});

test.each([
  [['--from', 'oldest'], "required option '--route <name>'"],
  [['--route', 'a'], "required option '--from <place>'"],
  [['--route', 'a', '--from', 'soon'], 'Write oldest, 2h (so long ago)'],
  [['--route', 'a', '--from', 'oldest'], 'Which journal?'],
])('replay %j is a wrong command line', { timeout: 30_000 }, async (args, words) => {
  const { code, said } = await runCli(['replay', ...args]);
  expect({ code, said }).toEqual({ code: 2, said: expect.stringContaining(words) });
});

test('the exit code says whether anything comes again', { timeout: 60_000 }, async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await journal.openRoute(routeName('a'), { startFrom: 'oldest', atQuota: 'expire' });
    await appendLive(journal, 1, 10);
    await drain(journal, routeName('a'));
  }
  const journal = ['--journal', place.path];
  const none = await runCli(['replay', ...journal, '--route', 'b', '--from', 'oldest']);
  expect(none).toMatchObject({ code: 1, out: '', said: 'The journal has no route b: there are a.\n' });
  const { code, out } = await runCli(['replay', ...journal, '--route', 'a', '--from', '4', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ route: 'a', records: 7, streams: [{ stream: '_all', from: '014' }] });
  const status = await runCli(['status', ...journal]);
  expect(status.out).toMatch(/^ {6}replay 1, for .*: 7 records left$/m);
});
