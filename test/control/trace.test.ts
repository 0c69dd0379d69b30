import { pino } from 'pino';
import { expect, test } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { inspectionOf } from '../../src/control/inspection.ts';
import type { Explain } from '../../src/control/operation.ts';
import { serveControl } from '../../src/control/server.ts';
import type { TracedRevision } from '../../src/control/trace.ts';
import type { RouteStatus } from '../../src/delivery/route-worker.ts';
import { ALL_NAMESPACES } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { ReplayFrom } from '../../src/journal/record.ts';
import { compileRoute } from '../../src/routing/compile.ts';
import {
  appendLive,
  cursorOf,
  event,
  never,
  open,
  parkedAt,
  readAll,
  routeName,
  state,
  temporaryPlace,
} from '../journal/fixture.ts';
import { routeConfig } from '../routing/events.ts';

const log = pino({ level: 'silent' });
const A = routeName('a');
const SINCE = Date.parse('2026-11-25T10:00:00Z');

const mqtt = adapterTypes.find(({ name }) => name === 'mqtt');
const compiled = mqtt && compileRoute(routeConfig({ when: 'event.reason == "x"' }), mqtt);
const explain: Explain = (_, record) => compiled?.explain(record, Date.now());

const up: RouteStatus = {
  connection: { kind: 'up', since: SINCE },
  stopped: undefined,
  parked: [],
  backingOff: [],
  unsettled: 0,
  underWay: 0,
};

/** Ten Events: the first is delivered, the second dead, the third filtered, the fourth parked; the rest waits. */
async function fill(journal: Journal): Promise<void> {
  await journal.openRoute(A, { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(journal, 1, 10);
  const [first, second, , fourth] = await readAll(journal);
  if (!first || !second || !fourth) throw new Error('there are ten');
  await journal.settle({
    route: A,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(fourth)]]),
    counters: { read: 4, delivered: 1, dead: 1, filtered: 1 },
    receipts: [{ stream: ALL_NAMESPACES, cursor: cursorOf(first), receipt: { offset: 7 }, deliveredAt: SINCE }],
    parked: [
      parkedAt(second, { state: 'dead', reason: 'too-large', detail: '2 MiB', parkedAt: SINCE }),
      parkedAt(fourth, { parkedAt: SINCE, detail: 'waits behind an earlier message' }),
    ],
    unparked: [],
  });
}

function runningOn(journal: Journal, status: RouteStatus) {
  const replay = (from: ReplayFrom) => journal.replay(A, from);
  return { routes: new Map([[A, { broker: 'b', status, replay }]]), streams: [] };
}

async function fates(path: string, rv: number, by?: Explain) {
  await using inspection = await inspectionOf(path, log, by);
  const found = await Array.fromAsync(inspection.ask('trace', { what: { kind: 'id', id: `uid.${rv}` }, limit: 10 }));
  return found.flatMap((item): TracedRevision['routes'] => (item.kind === 'end' ? [] : item.routes));
}

test('a stopped journal tells what was delivered, is dead, is parked or waits; the rest only with the config', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await fill(journal);
  }
  const { path } = place;
  expect(await fates(path, 1)).toMatchObject([{ route: 'a', state: 'delivered', receipt: { offset: 7 } }]);
  expect(await fates(path, 2)).toMatchObject([{ state: 'dead', reason: 'too-large', detail: '2 MiB', id: 1 }]);
  expect(await fates(path, 3)).toMatchObject([{ state: 'unknown', detail: expect.stringContaining('-c FILE') }]);
  expect(await fates(path, 3, explain)).toMatchObject([{ state: 'filtered', by: 'when', part: 'event.reason == "x"' }]);
  expect(await fates(path, 4)).toMatchObject([{ state: 'parked', reason: 'no-such-destination' }]);
  expect(await fates(path, 10)).toMatchObject([{ state: 'waiting', ahead: 5, for: 'daemon' }]);
});

test('a config that has changed since is not made responsible for what the route did before', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await fill(journal);
  }
  const takesAll = mqtt && compileRoute(routeConfig({}), mqtt);
  const byNow: Explain = (_, record) => takesAll?.explain(record, Date.now());
  expect(await fates(place.path, 3, byNow)).toMatchObject([
    { state: 'unknown', detail: expect.stringContaining('changed since') },
  ]);
});

test.each([
  [
    { connection: { kind: 'down', since: SINCE, error: 'refused', retryAt: SINCE } },
    { for: 'broker', detail: 'refused' },
  ],
  [{ connection: { kind: 'connecting', since: SINCE } }, { for: 'broker', since: '2026-11-25T10:00:00.000Z' }],
  [
    { stopped: { state: 'held', reason: 'not-authorized', detail: 'no', since: SINCE } },
    { for: 'destination', detail: 'not-authorized: no' },
  ],
  [{ backingOff: ['Pod/web/pod-5'] }, { for: 'key' }],
  [{}, { for: 'turn' }],
] as const)('a running daemon says for what a record waits: %j', async (more, expected) => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  const running = runningOn(journal, { ...up, ...more });
  await using _ = await serveControl({ path: place.path, inspected: { journal, running }, log });
  expect(await fates(place.path, 5)).toMatchObject([{ state: 'waiting', ahead: 0, ...expected }]);
});

test('a running daemon says what holds a parked message, and when it is tried next', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  const verdict = { state: 'held', reason: 'no-such-destination', detail: 'no topic "topic"', since: SINCE } as const;
  const parked = [{ destination: 'topic', key: undefined, verdict, nextTryAt: SINCE + 1_000 }];
  const running = runningOn(journal, { ...up, parked });
  await using _ = await serveControl({ path: place.path, inspected: { journal, running }, log });
  expect(await fates(place.path, 4)).toMatchObject([
    { state: 'parked', detail: 'no topic "topic"', nextTryAt: '2026-11-25T10:00:01.000Z' },
  ]);
});

test('a record that a replay is to bring again has a receipt, and waits; or is parked once more', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  await journal.replay(A, { kind: 'oldest' });
  const running = runningOn(journal, up);
  await using _ = await serveControl({ path: place.path, inspected: { journal, running }, log });
  expect(await fates(place.path, 1)).toMatchObject([
    { state: 'delivered', receipt: { offset: 7 } },
    { state: 'waiting', ahead: 0, for: 'turn', replay: 1 },
  ]);
  expect(await fates(place.path, 2)).toMatchObject([{ state: 'dead' }, { state: 'waiting', ahead: 1, replay: 1 }]);
  const [behind] = await fates(place.path, 5);
  expect(behind).toMatchObject({ state: 'waiting', ahead: 4 });
  expect(behind).not.toHaveProperty('replay');
  const [first] = await readAll(journal);
  if (first === undefined) throw new Error('there are ten');
  const parked = [parkedAt(first, { replay: 1 })];
  const cursors = new Map([[ALL_NAMESPACES, cursorOf(first)]]);
  await journal.settle({ route: A, cursors, counters: { read: 1 }, receipts: [], parked, unparked: [] });
  expect(await fates(place.path, 1)).toMatchObject([{ state: 'delivered' }, { state: 'parked', replay: 1 }]);
});

test('a record of a list that is under way waits for its end', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  await journal.append({ records: [event(99)], state: state(10) }, never);
  const running = runningOn(journal, up);
  await using _ = await serveControl({ path: place.path, inspected: { journal, running }, log });
  expect(await fates(place.path, 99)).toMatchObject([{ state: 'waiting', for: 'list' }]);
});

test('gives the newest revisions first, no more than asked for, and says that there are more', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await appendLive(journal, 1, 30);
  }
  await using inspection = await inspectionOf(place.path, log);
  const what = { kind: 'object', kinds: ['pod'], name: 'pod-3' } as const;
  const items = await Array.fromAsync(inspection.ask('trace', { what, limit: 2 }));
  expect(items).toMatchObject([{ id: 'uid.24' }, { id: 'uid.17' }, { kind: 'end', revisions: 2, more: true }]);
  expect(await Array.fromAsync(inspection.ask('trace', { what, limit: 4 }))).toMatchObject([
    ...Array(4).fill({ kind: 'revision' }),
    { kind: 'end', revisions: 4, more: false },
  ]);
});
