import { expect, test } from 'vitest';
import { statusText } from '../../src/cli/status.ts';
import type { Status } from '../../src/control/status.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const at = (minutesAgo: number) => new Date(NOW - minutesAgo * 60_000).toISOString();

const counters = { read: 1_234, delivered: 1_200, filtered: 20, limited: 0, dead: 4, expired: 0 };
const held = { reason: 'no-such-destination', detail: 'no such topic', since: at(30) };

const status: Status = {
  running: true,
  journal: {
    records: 1_234,
    bytes: 5 * 2 ** 20,
    quotaBytes: 2 ** 31,
    oldestAt: at(180),
    gaps: 1,
    hoursToQuota: 5,
    deadLetters: 3,
    maxDeadLetters: 100,
  },
  streams: [
    { stream: 'web', epoch: 1, rv: '41234', up: true, since: at(10), phase: 'watching', lastLineAt: at(0.05) },
    {
      stream: 'data',
      epoch: 0,
      up: false,
      since: at(3),
      phase: 'waiting',
      lastError: 'connection refused\u001b[31m',
      listing: { to: '99', recovered: 5_000 },
    },
  ],
  routes: [
    {
      route: 'all',
      broker: 'kafka',
      cursors: [{ stream: 'web', epoch: 1, position: '0541234' }],
      counters,
      pending: 10,
      deadLetters: 3,
      dropped: { byCommand: 1, byLimit: 2 },
      lag: 500,
      lagSeconds: 240,
      connection: { state: 'down', since: at(4), error: 'refused' },
      held: Array.from({ length: 5 }, (_, i) => ({ destination: `topic-${i}`, ...held })),
      heldCount: 50,
    },
  ],
  gaps: [
    {
      id: 'gap.web.1.2',
      stream: 'web',
      at: at(60),
      cause: 'compacted',
      from: '1',
      to: '2',
      recovered: 0,
      note: 'Lost.',
    },
  ],
};

test('the status fits on a screen, and says what is wrong and for how long', () => {
  expect(statusText(status, NOW).split('\n')).toEqual([
    'Daemon   runs',
    'Journal  1,234 records, 5.0 MiB of 2.0 GiB, the oldest 3 h old, full in 5 h at this pace',
    '',
    'STREAMS',
    '  ✓ web, watched for 10 min, read up to resourceVersion 41234, epoch 1, last line 3.0 s ago',
    '  ✗ data, waiting for 3 min, read up to resourceVersion none, epoch 0',
    '      a list up to 99 is under way: 5,000 found so far',
    '      connection refused\\u{1b}[31m',
    '',
    'ROUTES',
    '  ✗ all → kafka  1,200 delivered, 500 behind (4 min), 10 parked, 20 filtered, 3 dead letters, 2 dropped by a limit',
    '      at web 1:0541234',
    '      not connected for 4 min: refused',
    ...[0, 1, 2].map((i) => `      held for 30 min: topic-${i}: no-such-destination (no such topic)`),
    '      and 47 more held',
    '',
    'GAPS, 1 in the journal, the newest first',
    '  2026-11-25 11:00:00Z  Lost.',
    '',
  ]);
});

test('a stopped journal that has nothing is told in words too', () => {
  const dead = { deadLetters: 80, maxDeadLetters: 100 };
  const journal = {
    ...dead,
    records: 0,
    bytes: 4_096,
    gaps: 0,
    hoursToQuota: 'not-growing',
    disk: 'reserve-used',
  } as const;
  const text = statusText({ running: false, journal, streams: [], routes: [], gaps: [] }, NOW);
  expect(text).toContain('does not run');
  expect(text).toContain(
    'not growing, 80 dead letters, and room for 100, the disk is full, and the reserve for that in use',
  );
  expect(text.match(/none yet/g)).toHaveLength(2);
});
