import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { REASONS } from '../../src/adapter.ts';
import type { RouteName } from '../../src/journal/record.ts';
import { metricsText, type Observed } from '../../src/observe/metrics.ts';
import { processMetrics } from '../../src/observe/process.ts';

const NOW = 1_000_000;
const counters = { read: 0, delivered: 0, filtered: 0, limited: 0, dead: 0, expired: 0 };
const dead = { deadLetters: 7, dropped: { byCommand: 2, byLimit: 3 } };
const route = {
  cursors: new Map(),
  counters,
  pending: 0,
  lag: 0,
  waitingSince: undefined,
  replays: 0,
  replaying: new Map(),
  up: true,
  ...dead,
};

function observed(parked: readonly string[], more: Partial<Observed['journal']> = {}): Observed {
  const journal = {
    records: 0,
    bytes: 0,
    quotaBytes: 1,
    oldestAppendedAt: undefined,
    gaps: 0,
    commits: 0,
    duplicates: 0,
    disk: 'ok' as const,
    deadLetters: 8,
    maxDeadLetters: 10,
  };
  return {
    routes: [{ ...route, route: 'r' as RouteName, parked }],
    streams: [],
    journal: { ...journal, hoursToQuota: undefined, ...more },
    now: NOW,
  };
}

test('every reason for which a destination can be held is there before it occurs, at 0', async () => {
  const before = await metricsText(observed([]));
  for (const reason of [...REASONS.held, ...REASONS.retry]) {
    expect(before).toContain(`kube_fanout_route_held_destinations{route="r",reason="${reason}"} 0`);
  }
  const after = await metricsText(observed(['throttled', 'not-authorized', 'throttled']));
  expect(after).toContain('kube_fanout_route_held_destinations{route="r",reason="throttled"} 2');
  expect(after).toContain('kube_fanout_route_held_destinations{route="r",reason="not-authorized"} 1');
});

test('an empty, quiet journal has no age and no end, and one that grows has both', async () => {
  const quiet = await metricsText(observed([]));
  expect(quiet).toContain('kube_fanout_journal_oldest_record_age_seconds 0');
  expect(quiet).toContain('kube_fanout_journal_hours_to_quota +Inf');
  expect(quiet).toContain('kube_fanout_route_lag_seconds{route="r"} 0');
  const busy = await metricsText(observed([], { oldestAppendedAt: NOW - 5_000, hoursToQuota: 2.5 }));
  expect(busy).toContain('kube_fanout_journal_oldest_record_age_seconds 5');
  expect(busy).toContain('kube_fanout_journal_hours_to_quota 2.5');
});

test('what the operations page names of the process is in the metrics, and no name is there twice', async () => {
  const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/`((?:process|nodejs)_\w+)`/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(3);
  const text = (await metricsText(observed([]))) + (await processMetrics()());
  const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
  expect(named.filter((name) => !types.includes(name))).toEqual([]);
  expect(types.length).toBe(new Set(types).size);
});

test('dead letters are counted as they are now, beside their limit, and what was let go of by who has done it', async () => {
  const text = await metricsText(observed([]));
  expect(text).toContain('kube_fanout_route_dead_letters{route="r"} 7');
  expect(text).toContain('kube_fanout_route_dead_letters_dropped_total{route="r",by="command"} 2');
  expect(text).toContain('kube_fanout_route_dead_letters_dropped_total{route="r",by="limit"} 3');
  expect(text).toContain('kube_fanout_journal_dead_letters 8');
  expect(text).toContain('kube_fanout_journal_max_dead_letters 10');
});
