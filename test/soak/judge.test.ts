import { describe, expect, test } from 'vitest';
import type { RouteCounters } from '../faults/scrape.ts';
import { Deliveries, type Tally } from './deliveries.ts';
import { judge, type Recorded, type Sample } from './judge.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const COUNTERS: RouteCounters = {
  ...{ read: 10, delivered: 7, filtered: 0, limited: 0, dead: 1, expired: 0, pending: 2, lag: 0 },
};

function sample(at: number, more: Partial<Sample> = {}): Sample {
  const routes = new Map([['nats', COUNTERS]]);
  const sizes = { rssMiB: 150, heapMiB: 40, handles: 30, journalMiB: 300, walMiB: 4 };
  return { at, life: 0, ...sizes, loopP99Ms: 1, loopMaxMs: 10, routes, ...more };
}

/** A look every ten seconds. */
function looks(minutes: number, more: (minute: number, i: number) => Partial<Sample> = () => ({})): Sample[] {
  return Array.from({ length: minutes * 6 + 1 }, (_, i) => sample(i * 10 * SECOND, more(i / 6, i)));
}

function recorded(more: Partial<Recorded> = {}): Recorded {
  const deliveries = new Deliveries(['nats'], 0);
  deliver(deliveries, [1, 2, 3]);
  return { samples: looks(3), tallies: tallies(deliveries), settledMs: 100, failures: [], ...more };
}

/** Emits 1, 2 and 3, of one Event, and lets arrive what is given. */
function deliver(deliveries: Deliveries, arrivals: readonly number[]): void {
  for (const resourceVersion of [1, 2, 3]) deliveries.emit({ resourceVersion, event: 1, at: resourceVersion });
  for (const resourceVersion of arrivals) deliveries.arrive('nats', { resourceVersion, key: 'Pod/a/b', at: 10 });
}

function tallies(deliveries: Deliveries): ReadonlyMap<string, Tally> {
  return new Map([['nats', deliveries.tally('nats')]]);
}

function brokenBy(more: Partial<Recorded>): string {
  return judge(recorded(more)).broken.join('\n');
}

test('a run in which everything arrived and nothing grew holds every promise', () => {
  expect(judge(recorded())).toEqual({ broken: [], growth: [] });
});

describe('what arrives', () => {
  const after = (arrivals: readonly number[], gap?: readonly [number, number]) => {
    const deliveries = new Deliveries(['nats'], 0);
    deliver(deliveries, arrivals);
    if (gap) deliveries.announce(...gap);
    return { tally: deliveries.tally('nats'), broken: brokenBy({ tallies: tallies(deliveries) }) };
  };

  test('fails for one revision that is lost', () => {
    expect(after([1, 3]).broken).toContain('nats misses 1 (2)');
  });

  test('excuses what a gap record covers and had changed again, but never the last revision of an Event', () => {
    expect(after([3], [0, 3])).toMatchObject({ broken: '', tally: { delivered: 1, unrecoverable: 2 } });
    expect(after([1, 2], [0, 3]).tally).toMatchObject({ unrecoverable: 0, waiting: 1 });
    expect(after([1, 3], [2, 3]).broken).toContain('nats misses 1 (2)');
    // The page that had 2 came when 3 was written, and before the gap was told of.
    expect(after([1, 3], [0, 2])).toMatchObject({ broken: '', tally: { delivered: 2, unrecoverable: 1 } });
  });

  test('fails for a revision behind a newer one of its object, but not for a repeat', () => {
    expect(after([1, 3, 2]).broken).toContain('came after a newer one: 1 (2)');
    expect(after([1, 2, 3, 1, 2])).toMatchObject({ broken: '', tally: { repeats: 2 } });
  });

  test('fails for what was never emitted, and when nothing was', () => {
    const deliveries = new Deliveries(['nats'], 0);
    deliver(deliveries, [1, 2, 3, 4]);
    deliveries.emit({ resourceVersion: 5, event: 2, at: 5 });
    deliveries.arrive('nats', { resourceVersion: 5, key: 'Pod/a/b', at: 10 });
    expect(brokenBy({ tallies: tallies(deliveries) })).toContain('nats got 1 (4)');
    expect(brokenBy({ tallies: tallies(new Deliveries(['nats'], 0)) })).toContain('nothing to deliver');
  });

  test('fails when it never comes to rest, and when a fault could not be mended', () => {
    const { tally } = after([1]);
    const restless = brokenBy({ settledMs: undefined, tallies: new Map([['nats', tally]]) });
    expect(restless).toBe('everything comes to rest when the load is over, but there waited still: nats 2');
    expect(brokenBy({ failures: ['NATS: killed could not be done'] })).toContain('could not be done');
  });
});

test('fails for one look at books that do not balance', () => {
  const wrong = sample(MINUTE, { routes: new Map([['nats', { ...COUNTERS, delivered: 6 }]]) });
  expect(brokenBy({ samples: [...looks(3), wrong] })).toContain('1 of 20 times it was not; first on nats');
});

describe('memory', () => {
  // Up and down within each minute, as collections make it.
  const noise = (i: number) => (i % 6) * 5;

  test('fails for a slope, however it goes up and down', () => {
    const { broken, growth } = judge(
      recorded({ samples: looks(20, (minute, i) => ({ rssMiB: 150 + minute * 0.6 + noise(i) })) }),
    );
    expect(broken).toEqual([expect.stringContaining('from the daemon’s start 1 on, in 20 minutes')]);
    expect(growth[0]?.slope).toBeCloseTo(36, 0);
  });

  test('does not take a step for a slope', () => {
    // As a daemon does that was behind for a while in its tenth minute.
    const samples = looks(20, (minute, i) => ({ rssMiB: 215 + (minute < 9 ? 0 : 8) + noise(i) }));
    const { broken, growth } = judge(recorded({ samples }));
    expect(broken).toEqual([]);
    expect(growth[0]?.slope).toBeGreaterThan(20);
  });

  test('passes without one, and at a start, and for a peak', () => {
    const start = (minute: number) => Math.max(0, 2 - minute) * -50;
    const peak = (minute: number) => (minute > 9 && minute < 9.8 ? 200 : 0);
    const samples = looks(15, (minute, i) => ({ rssMiB: 150 + start(minute) + peak(minute) + noise(i) }));
    expect(judge(recorded({ samples }))).toMatchObject({ broken: [], growth: [{ minutes: 15 }] });
  });

  test('is judged from one start of the daemon to the next, and not in less than fifteen minutes', () => {
    const samples = looks(28, (minute, i) => ({ life: minute < 14 ? 0 : 1, rssMiB: 150 + minute * 5 + noise(i) }));
    expect(judge(recorded({ samples }))).toEqual({ broken: [], growth: [] });
  });
});

test('fails when handles are left open', () => {
  const samples = looks(8, (minute) => ({ handles: 30 + Math.floor(minute) }));
  expect(brokenBy({ samples })).toContain('31 have become');
  const steady = looks(8, (minute) => ({ handles: minute > 3 && minute < 6 ? 60 : 30 }));
  expect(brokenBy({ samples: steady })).toBe('');
});
