import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LaneNews } from '../../src/delivery/lane-news.ts';
import { Lane } from '../../src/delivery/parked-lanes.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function listen() {
  const said: { level: number; msg: string; destinations?: number }[] = [];
  const news = new LaneNews(pino({ level: 'info' }, { write: (line: string) => said.push(JSON.parse(line)) }));
  return { news, said };
}

function lane(destination: string, key?: string) {
  return new Lane(destination, key, {
    state: 'held',
    reason: 'no-such-destination',
    detail: 'no such topic',
    since: 0,
  });
}

test('a missing destination has a line of its own, and a thousand of them have two', () => {
  const { news, said } = listen();
  for (let i = 0; i < 1_000; i += 1) news.parked(lane(`topic-${i}`));
  vi.advanceTimersByTime(60_000);
  expect(said).toMatchObject([
    { level: 40, destination: 'topic-0', reason: 'no-such-destination', detail: 'no such topic' },
    { level: 40, destinations: 999, msg: expect.stringContaining('topic-1, topic-2') },
  ]);
  expect(said[1]?.msg).toContain('topic-5 and 994 more');
  news.parked(lane('late'));
  expect(said[2]).toMatchObject({ destination: 'late' });
});

test('what has gone out again is told once, and nothing is left untold at the end', () => {
  const { news, said } = listen();
  news.drained(lane('a'));
  news.drained(lane('b', 'Pod/web/1'));
  news[Symbol.dispose]();
  expect(said).toMatchObject([
    { level: 30, destination: 'a', msg: 'all that was parked for it has gone out, in order' },
    { level: 30, destinations: 1, msg: expect.stringContaining('b (Pod/web/1)') },
  ]);
});
