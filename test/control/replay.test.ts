import { pino } from 'pino';
import { expect, test } from 'vitest';
import { inspectionOf } from '../../src/control/inspection.ts';
import { serveControl } from '../../src/control/server.ts';
import { positionOf } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import { appendLive, drain, open, type Place, routeName, rv, temporaryPlace } from '../journal/fixture.ts';
import { IDLE } from './route-status.ts';

const log = pino({ level: 'silent' });
const A = routeName('a');
const GONE = routeName('gone');

/** Ten Events that route a has delivered, and a route that no daemon runs. */
async function fill(journal: Journal): Promise<void> {
  for (const route of [A, GONE]) await journal.openRoute(route, { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(journal, 1, 10);
  await drain(journal, A);
}

async function ask(place: Place, route: string, first?: number) {
  const from = first === undefined ? { kind: 'oldest' } : { kind: 'position', positions: [positionOf(rv(first))] };
  await using inspection = await inspectionOf(place.path, log);
  return await Array.fromAsync(inspection.ask('replay', { route, from } as never));
}

async function routeIn(place: Place) {
  await using inspection = await inspectionOf(place.path, log);
  const [item] = await Array.fromAsync(inspection.ask('status', {}));
  return item?.routes.find(({ route }) => route === 'a');
}

test('on a stopped journal the cursor is moved back there, and the status says what is left', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await fill(journal);
  }
  expect(await routeIn(place)).toMatchObject({ lag: 0, replay: undefined });
  const [answer] = await ask(place, 'a', 4);
  const storedAt = expect.any(String);
  const streams = [{ stream: '_all', records: 7, from: '014', to: '0210', storedAt }];
  expect(answer).toEqual({ route: 'a', running: false, number: 1, records: 7, streams });
  expect(await routeIn(place)).toMatchObject({ lag: 7, replay: { number: 1, left: 7, since: expect.any(String) } });
});

test('a running daemon has its route do it, and refuses what it does not run', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await fill(journal);
  const asked: unknown[] = [];
  const replay: Journal['replay'] = (route, from) => {
    asked.push(from);
    return journal.replay(route, from);
  };
  const routes = new Map([[A, { broker: 'b', status: IDLE, replay: replay.bind(undefined, A) }]]);
  await using _ = await serveControl({
    path: place.path,
    inspected: { journal, running: { routes, streams: [] } },
    log,
  });
  expect(await ask(place, 'a')).toMatchObject([{ running: true, number: 1, records: 10 }]);
  expect(asked).toEqual([{ kind: 'oldest' }]);
  expect(await routeIn(place)).toMatchObject({ replay: { number: 1, left: 10 } });
  await expect(ask(place, 'gone')).rejects.toThrow('route gone is not in the config of the running daemon');
  await expect(ask(place, 'b')).rejects.toThrow('the journal has no route b: there are a, gone');
  await expect(ask(place, 'a', 11)).rejects.toThrow('nothing from there on is in the journal: the newest is _all 0210');
});
