import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Letter, World } from './world.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const letters = (count: number): Letter[] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i % 5}`, fate: i % 3 === 0 ? 'y' : 'x' }));

const dead = (world: World) => world.journal.parked.filter(({ state }) => state === 'dead').map(({ reason }) => reason);

test('a message that breaks the connection each time it is sent alone becomes a dead letter, and all others arrive', () => {
  const sent: Letter[] = letters(40);
  sent[6] = { key: 'k1', fate: 'poison' };
  const world = new World(sent, true);
  world.heal();
  expect(world.done).toBe(true);
  expect(dead(world)).toEqual(['breaks-connection']);
  expect(new Set(world.arrived.map(({ sequence }) => sequence)).size).toBe(39);
});

test('a broker whose connection breaks again and again fills no dead letters', () => {
  const world = new World(letters(60), false);
  for (let round = 0; round < 40; round += 1) {
    world.breaks = 1 + (round % 4);
    for (let i = 0; i < 6; i += 1) world.work();
    vi.advanceTimersByTime(5_000);
  }
  world.heal();
  expect(world.done).toBe(true);
  expect(dead(world)).toEqual([]);
});

test('a broker that rejects everything for ten minutes is an outage: no dead letters, and all arrives afterwards', () => {
  const world = new World(letters(60), false);
  for (const place of ['x', 'y']) world.places.set(place, 'rejecting');
  for (let round = 0; round < 600; round += 1) {
    world.work();
    vi.advanceTimersByTime(900);
  }
  expect(dead(world)).toEqual([]);
  world.heal();
  expect(world.done).toBe(true);
  expect(dead(world)).toEqual([]);
});

test('messages that break the connection do not stop a route, however many stand in a full window', () => {
  const sent: Letter[] = letters(40);
  for (const [at, key] of ['k1', 'k2', 'k3', 'k1', 'k4'].entries()) sent[at] = { key, fate: 'poison' };
  const world = new World(sent, true);
  for (let round = 0; round < 10 && !world.done; round += 1) {
    world.send(letters(30).map(({ fate }, i) => ({ key: `later ${i}`, fate })));
    world.heal();
  }
  expect(world.done).toBe(true);
  expect(dead(world)).toEqual(Array(5).fill('breaks-connection'));
});
