import { expect, test } from 'vitest';
import { Growth } from '../../src/journal/growth.ts';

const MINUTE = 60_000;

/** So many bytes a minute, for so long. */
function grown(perMinute: number, minutes: number): Growth {
  const growth = new Growth();
  for (let at = 0; at <= minutes * MINUTE; at += 1_000) growth.note(Math.max(0, (perMinute * at) / MINUTE), at);
  return growth;
}

test('what grows by a sixtieth of the quota a minute has an hour, less what is used already', () => {
  expect(grown(100, 5).hoursUntil(6_000, { at: 5 * MINUTE, bytes: 500 })).toBeCloseTo(55 / 60);
});

test('it follows the last ten minutes, not what was before', () => {
  const growth = grown(1_000, 60);
  for (let at = 60 * MINUTE; at <= 75 * MINUTE; at += 1_000) growth.note(60_000, at);
  expect(growth.hoursUntil(1e9, { at: 75 * MINUTE, bytes: 60_000 })).toBe(Number.POSITIVE_INFINITY);
});

test('what shrinks or stands still does not grow, what is full is full, and a minute must have passed', () => {
  expect(grown(0, 5).hoursUntil(6_000, { at: 5 * MINUTE, bytes: 0 })).toBe(Number.POSITIVE_INFINITY);
  expect(grown(-100, 5).hoursUntil(6_000, { at: 5 * MINUTE, bytes: 0 })).toBe(Number.POSITIVE_INFINITY);
  expect(grown(100, 5).hoursUntil(400, { at: 5 * MINUTE, bytes: 500 })).toBe(0);
  expect(grown(100, 0.5).hoursUntil(6_000, { at: 30_000, bytes: 50 })).toBeUndefined();
  expect(grown(100, 5).hoursUntil(Number.POSITIVE_INFINITY, { at: 5 * MINUTE, bytes: 500 })).toBeUndefined();
});
