/** The judge judged: a history in which one thing is wrong breaks the promise that speaks of it, and no other. */
import { expect, test } from 'vitest';
import type { TruthRevision } from '../backends/truth.ts';
import { placeOf, type Seen } from '../main-job/seen.ts';
import { classify } from './classes.ts';
import type { History, RouteHistory } from './history.ts';
import { PROMISES, WINDOW } from './promises.ts';
import type { RouteCounters } from './scrape.ts';

const COUNT = 6;

function revision(number: number): TruthRevision {
  const involved = { apiVersion: 'v1', kind: 'Pod', namespace: 'web', name: 'web-0', uid: 'pod' };
  const resourceVersion = String(100 + number);
  return {
    namespace: 'web',
    name: `e${number}`,
    uid: `u${number}`,
    resourceVersion,
    history: 0,
    deleted: false,
    involved,
    reason: 'R',
    count: 1,
  };
}

function seenOf({ uid, resourceVersion }: TruthRevision): Seen {
  const type = 'kube-fanout.event.v1';
  const sequence = `03${resourceVersion}`;
  return {
    id: `${uid}.${resourceVersion}`,
    partitionkey: 'Pod/web/web-0',
    sequence,
    part: '0',
    place: placeOf({ offset: resourceVersion }),
    key: undefined,
    type,
    attributes: {},
    data: { uid },
  };
}

const truth = Array.from({ length: COUNT }, (_, i) => revision(i));
const seen = truth.map(seenOf);
const counters: RouteCounters = {
  read: COUNT,
  delivered: COUNT,
  filtered: 0,
  limited: 0,
  dead: 0,
  expired: 0,
  pending: 0,
  lag: 0,
};

function history(
  change: {
    seen?: readonly Seen[];
    counters?: Partial<RouteCounters>;
    acknowledged?: number;
    gaps?: RouteHistory['gaps'];
    dead?: readonly (readonly [string, string])[];
    more?: Partial<History>;
  } = {},
): History {
  const ids = seen.map(({ id }) => id);
  const route: RouteHistory = {
    route: 'kafka',
    broker: 'kafka',
    seen: change.seen ?? seen,
    gaps: change.gaps ?? [],
    takes: () => true,
    dies: () => undefined,
  };
  const stopped = {
    counters: { ...counters, ...change.counters },
    receipts: change.acknowledged ?? COUNT,
    acknowledged: new Map(ids.slice(0, change.acknowledged).map((id, i) => [id, `{"offset":"${100 + i}"}`])),
    dead: new Map(change.dead),
    waiting: new Set<string>(),
  };
  return {
    truth,
    routes: [route],
    journal: {
      routes: new Map([['kafka', stopped]]),
      records: new Map(ids.map((id) => [id, 0])),
      checkpoints: new Map(),
      trimmed: false,
      epochs: 0,
    },
    scrapes: [{ at: 0, rssMiB: 100, routes: new Map([['kafka', counters]]) }],
    kills: 0,
    presents: [],
    forgotten: [],
    memoryMiB: 200,
    atLeast: COUNT,
    recoveryMs: 1,
    brokersMayLose: [],
    ...change.more,
  };
}

const broken = (one: History) =>
  Object.entries(PROMISES).flatMap(([name, promised]) => (promised(one).length > 0 ? name : []));

test('a history in which everything arrived breaks no promise', () => {
  expect(broken(history())).toEqual([]);
  expect(broken(history({ seen: [...seen, ...seen] }))).toEqual([]);
});

const wrong: readonly (readonly [string, string, History])[] = [
  [
    'a revision that nobody got',
    'At least once',
    history({ seen: seen.slice(0, -1), acknowledged: COUNT - 1, counters: { read: COUNT - 1, delivered: COUNT - 1 } }),
  ],
  ['a revision behind a newer one', 'In order per object', history({ seen: seen.toReversed() })],
  [
    'a revision that retention has taken, behind a newer one that it has not',
    'In order per object',
    history({
      seen: [...seen.slice(3), ...seen.slice(0, 3)],
      more: {
        journal: { ...history().journal, records: new Map(seen.slice(3).map(({ id }) => [id, 0])), trimmed: true },
      },
    }),
  ],
  [
    'a loss in the gap of a quota that no counter knows',
    'Nothing silent',
    history({
      seen: seen.slice(0, -1),
      acknowledged: COUNT - 1,
      counters: { read: COUNT - 1, delivered: COUNT - 1 },
      gaps: [{ stream: '_all', from: '99', to: String(100 + COUNT), cause: 'quota' }],
    }),
  ],
  [
    'two contents of one id',
    'One identity',
    history({ seen: [...seen, ...seen.slice(0, 1).map((one) => ({ ...one, data: 'other' }))] }),
  ],
  ['a CloudEvent that etcd never stored', 'One identity', history({ seen: [...seen, seenOf(revision(50))] })],
  ['books that do not add up in the file', 'Nothing silent', history({ counters: { read: COUNT + 1 } })],
  [
    'a delivery counted without a receipt',
    'Nothing silent',
    history({ counters: { read: COUNT + 1, delivered: COUNT + 1 } }),
  ],
  [
    'books that did not add up once',
    'Nothing silent',
    history({ more: { scrapes: [{ at: 0, rssMiB: 1, routes: new Map([['kafka', { ...counters, read: 9 }]]) }] } }),
  ],
  ['a row parked that no counter knows of', 'Nothing silent', history({ counters: { read: COUNT + 1, pending: 1 } })],
  [
    'a dead letter for no reason',
    'A dead letter can never pass',
    history({
      seen: seen.slice(1),
      acknowledged: COUNT - 1,
      dead: [['u0.100', 'too-large']],
      counters: { delivered: COUNT - 1, dead: 1 },
    }),
  ],
  [
    'a receipt that names another place',
    'Paper trail',
    history({ seen: seen.map((one) => ({ ...one, place: placeOf({ offset: '7' }) })) }),
  ],
  ['too much memory', 'Bounded', history({ more: { memoryMiB: 50 } })],
  ['more repeats than a window', 'Bounded', history({ seen: Array.from({ length: WINDOW }, () => seen).flat() })],
  ['a daemon that did not come back', 'It comes back', history({ more: { recoveryMs: undefined } })],
  ['too little traffic', 'It was a test', history({ more: { atLeast: COUNT + 1 } })],
];

test.each(wrong)('%s breaks "%s"', (_, promise, one) => {
  expect(broken(one)).toEqual([promise]);
});

test('what the broker has acknowledged and does not have was lost by the broker, where that may be', () => {
  expect(broken(history({ seen: seen.slice(1) }))).toEqual(['At least once']);
  const one = history({ seen: seen.slice(1), more: { brokersMayLose: ['kafka'] } });
  expect(broken(one)).toEqual([]);
  const [route] = one.routes;
  if (route === undefined) throw new Error('there is one');
  expect(classify(one, route).counts).toMatchObject({ delivered: COUNT - 1, 'lost by broker': 1, missing: 0 });
});

test('a gap record excuses what was overwritten in it, and nothing else', () => {
  const again = { ...revision(7), uid: 'u0' };
  const gap = { stream: '_all', from: '99', to: '107', cause: 'compacted' };
  const route: RouteHistory = {
    route: 'kafka',
    broker: 'kafka',
    seen: seen.slice(2),
    gaps: [gap],
    takes: () => true,
    dies: () => undefined,
  };
  const records = new Map<string, number>();
  const journal = { routes: new Map(), records, checkpoints: new Map(), trimmed: false, epochs: 0 };
  const { of } = classify({ truth: [...truth, again], journal, presents: [], forgotten: [] }, route);
  expect([of.get('u0.100'), of.get('u1.101'), of.get('u0.107')]).toEqual(['unrecoverable', 'missing', 'missing']);
});

test('what a restored etcd has forgotten is excused behind the checkpoint alone, and what it has overwritten before its list', () => {
  const restored = [revision(1), revision(2), { ...revision(3), uid: 'u1' }].map((one) => ({ ...one, history: 1 }));
  const gaps = [{ stream: '_all', from: '103', to: '103', cause: 'restored' }];
  const route = { route: 'kafka', broker: 'kafka' as const, seen: [], gaps, takes: () => true, dies: () => undefined };
  const journal = { routes: new Map(), records: new Map<string, number>(), checkpoints: new Map() };
  const parts = { journal: { ...journal, trimmed: false, epochs: 1 }, presents: [], forgotten: [] };
  const excused = (revisions: readonly TruthRevision[]) =>
    [...classify({ ...parts, truth: revisions }, route).of].flatMap(([id, one]) => (one === 'unrecoverable' ? id : []));
  expect(excused([...truth, ...restored.map((one) => ({ ...one, uid: `${one.uid}b` }))])).toEqual([
    ...['u4.104', 'u5.105', 'u1b.101'],
  ]);
  expect(excused(truth)).toEqual([]);
});
