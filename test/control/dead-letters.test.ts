import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type Inspection, inspectionOf } from '../../src/control/inspection.ts';
import { serveControl } from '../../src/control/server.ts';
import type { Journal } from '../../src/journal/port.ts';
import { appendLive, die, open, routeName, temporaryPlace } from '../journal/fixture.ts';
import { IDLE } from './route-status.ts';

const log = pino({ level: 'silent' });
const A = routeName('a');
const B = routeName('b');
const DIED = Date.parse('2026-11-25T10:00:00Z');

/** Of route a the first three are dead, of route b the first. */
async function fill(journal: Journal): Promise<void> {
  for (const route of [A, B]) await journal.openRoute(route, { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(journal, 1, 10);
  await die(journal, A, 3, { detail: '2 MiB', parkedAt: DIED });
  await die(journal, B, 1, { reason: 'invalid-message', parkedAt: DIED + 1 });
}

async function filled() {
  const place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  return place;
}

function listed(inspection: Inspection, filter = {}, limit = 100) {
  return Array.fromAsync(inspection.ask('deadLetters', { filter, limit }));
}

test('dead letters are listed, the newest first, no more than asked for, and counted by route and reason', async () => {
  await using place = await filled();
  await using inspection = await inspectionOf(place.path, log);
  expect(await listed(inspection, {}, 2)).toMatchObject([
    { id: 4, route: 'b', reason: 'invalid-message', eventId: 'uid.1' },
    {
      id: 3,
      route: 'a',
      at: '2026-11-25T10:00:00.000Z',
      detail: '2 MiB',
      destination: 'topic',
      object: 'Pod/web/pod-3',
    },
    {
      kind: 'end',
      count: 4,
      more: true,
      running: false,
      counts: [
        { route: 'b', reason: 'invalid-message', count: 1 },
        { route: 'a', reason: 'too-large', count: 3 },
      ],
    },
  ]);
  expect(await listed(inspection, { route: 'b' })).toMatchObject([{ id: 4 }, { count: 1, more: false }]);
});

test('a running daemon lists the same', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  const running = { routes: new Map(), streams: [] };
  await using _ = await serveControl({ path: place.path, inspected: { journal, running }, log });
  await using inspection = await inspectionOf(place.path, log);
  const found = await listed(inspection, { since: DIED + 1 });
  expect(found).toMatchObject([{ id: 4 }, { kind: 'end', count: 1, running: true }]);
});

test('a route that is not there is no route without dead letters', async () => {
  await using place = await filled();
  await using inspection = await inspectionOf(place.path, log);
  await expect(listed(inspection, { route: 'c' })).rejects.toThrow('no route c: there are a, b');
});

test('a dead letter is shown with its whole CloudEvent, by its own id or by the CloudEvent’s', async () => {
  await using place = await filled();
  await using inspection = await inspectionOf(place.path, log);
  const show = (id: string) => Array.fromAsync(inspection.ask('showDeadLetters', { filter: { ids: [id] } }));
  expect(await show('2')).toMatchObject([
    {
      id: 2,
      route: 'a',
      intact: true,
      cloudEvent: { specversion: '1.0', id: 'uid.2', origin: 'live', data: { rv: '2', note: 'x'.repeat(64) } },
    },
  ]);
  expect(await show('uid.1')).toMatchObject([
    { id: 1, route: 'a' },
    { id: 4, route: 'b' },
  ]);
  await expect(show('99')).rejects.toThrow('there is no dead letter 99');
});

async function ask(inspection: Inspection, name: 'replayDeadLetters' | 'dropDeadLetters', filter = {}, all = false) {
  return await Array.fromAsync(inspection.ask(name, { filter, all }));
}

test('on a stopped journal dead letters are replayed and dropped, and the trail says so', async () => {
  await using place = await filled();
  await using inspection = await inspectionOf(place.path, log);
  expect(await ask(inspection, 'replayDeadLetters', { ids: ['2', 'uid.1'], route: 'a' })).toEqual([
    { kind: 'replayed', route: 'a', replay: 1, ids: [1, 2] },
    { kind: 'end', count: 2, running: false },
  ]);
  expect(await ask(inspection, 'dropDeadLetters', {}, true)).toEqual([
    { kind: 'dropped', route: 'a', ids: [3] },
    { kind: 'dropped', route: 'b', ids: [4] },
    { kind: 'end', count: 2, running: false },
  ]);
  const trace = await Array.fromAsync(
    inspection.ask('trace', { what: { kind: 'object', kinds: ['pod'], name: 'pod-1' }, limit: 10 }),
  );
  const fates = trace.flatMap((item) => (item.kind === 'revision' && item.id === 'uid.1' ? item.routes : []));
  expect(fates).toMatchObject([
    { route: 'a', state: 'parked', reason: 'too-large', replay: 1 },
    { route: 'b', state: 'dropped' },
  ]);
  const [status] = await Array.fromAsync(inspection.ask('status', {}));
  expect(status?.routes).toMatchObject([
    { route: 'a', pending: 2, deadLetters: 0, dropped: { byCommand: 1 }, counters: { read: 5, dead: 3 } },
    { route: 'b', pending: 0, deadLetters: 0, dropped: { byCommand: 1 }, counters: { read: 1, dead: 1 } },
  ]);
});

test.each([
  [{}, false, 'say which dead letters'],
  [{ route: 'a' }, true, 'not both'],
  [{ ids: ['99'] }, false, 'there is no dead letter 99'],
  [{ reason: 'corrupt-record' }, false, 'no dead letter fits'],
  [{ route: 'c' }, false, 'no route c'],
])('nothing is replayed or dropped by %j with all: %j', async (filter, all, words) => {
  await using place = await filled();
  await using inspection = await inspectionOf(place.path, log);
  for (const name of ['replayDeadLetters', 'dropDeadLetters'] as const)
    await expect(ask(inspection, name, filter, all)).rejects.toThrow(words);
});

test('a route that the running daemon does not have any more is left as it is, and others are replayed', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  const running = {
    routes: new Map([[A, { broker: 'x', status: IDLE, replay: () => expect.unreachable('no cursor is moved') }]]),
    streams: [],
  };
  await using _ = await serveControl({ path: place.path, inspected: { journal, running }, log });
  await using inspection = await inspectionOf(place.path, log);
  expect(await ask(inspection, 'replayDeadLetters', {}, true)).toMatchObject([
    { kind: 'replayed', route: 'a', replay: 1, ids: [1, 2, 3] },
    { kind: 'refused', route: 'b', count: 1, why: expect.stringContaining('no longer in the config') },
    { kind: 'end', count: 3, running: true },
  ]);
  await expect(ask(inspection, 'replayDeadLetters', { route: 'b' })).rejects.toThrow('no longer in the config');
});
