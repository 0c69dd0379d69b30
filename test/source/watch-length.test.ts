import { expect, it } from 'vitest';
import { WatchLength } from '../../src/source/watch-length.ts';

/** The shortest and the longest of many. */
function rangeOf(length: WatchLength): readonly number[] {
  const all = Array.from({ length: 2_000 }, () => length.next());
  return [Math.min(...all), Math.max(...all)];
}

it('asks for two minutes, 20 % more or less', () => {
  expect(rangeOf(new WatchLength(120))).toEqual([96, 144]);
});

it('asks for less than what a proxy has cut, and for more again once it lasts', () => {
  const length = new WatchLength(120);
  length.cut(60_000);
  expect(rangeOf(length)[1]).toBeLessThan(60);
  for (let turn = 0; turn < 20; turn += 1) length.lasted();
  expect(rangeOf(length)).toEqual([96, 144]);
});

it('does not become shorter by a cut that no idleness explains, nor ever very short or longer than at first', () => {
  const length = new WatchLength(120);
  length.cut(4_000);
  expect(rangeOf(length)).toEqual([96, 144]);
  length.cut(5_000);
  expect(rangeOf(length)).toEqual([4, 6]);
  length.cut(600_000);
  expect(rangeOf(length)).toEqual([96, 144]);
});
