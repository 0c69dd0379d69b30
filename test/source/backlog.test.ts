import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { Backlog } from '../../src/source/backlog.ts';

const listenersOf = ({ signal }: AbortController) => getEventListeners(signal, 'abort').length;

test('who waits for room goes on when there is some, and leaves nothing on its signal', async () => {
  const backlog = new Backlog(10);
  const end = new AbortController();
  backlog.add(12);
  const waits = [backlog.room(end.signal), backlog.room(end.signal, 60_000)];
  expect(listenersOf(end)).toBe(2);
  backlog.remove(1);
  expect(listenersOf(end)).toBe(2);
  backlog.remove(2);
  await Promise.all(waits);
  expect(backlog.full).toBe(false);
  expect(listenersOf(end)).toBe(0);
});

test('who waits for room gives up when that takes too long, or when its signal aborts', async () => {
  const backlog = new Backlog(10);
  const end = new AbortController();
  backlog.add(10);
  await backlog.room(end.signal, 1);
  const waiting = backlog.room(end.signal);
  end.abort();
  await waiting;
  expect(backlog.full).toBe(true);
  await backlog.room(end.signal);
});
