import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Bell } from '../../src/delivery/bell.ts';
import { Patience } from '../../src/delivery/patience.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Whose clock the test holds, right after a commit. */
function committed() {
  const bell = new Bell();
  const ring = vi.spyOn(bell, 'ring');
  const clock = { now: 0, steady: () => clock.now, wall: () => 0 };
  const patience = new Patience({ clock, bell });
  patience.committing();
  return { clock, ring, patience };
}

test('what was delivered right after a commit waits, and the bell rings when its own is due', () => {
  const { clock, ring, patience } = committed();
  expect(patience.has('delivered')).toBe(true);
  clock.now = 51;
  vi.advanceTimersByTime(51);
  expect(ring).toHaveBeenCalledOnce();
  expect(patience.has('delivered')).toBe(false);
});

test('what something waits for is never held back', () => {
  expect(committed().patience.has('urgent')).toBe(false);
});

test('what is delivered while a skipped record waits is committed sooner than that', () => {
  const { ring, patience } = committed();
  expect(patience.has('skipped')).toBe(true);
  expect(patience.has('delivered')).toBe(true);
  vi.advanceTimersByTime(51);
  expect(ring).toHaveBeenCalledOnce();
});

test('however often it looks, one timer waits', () => {
  const { patience } = committed();
  for (let look = 0; look < 100; look += 1) patience.has('delivered');
  expect(vi.getTimerCount()).toBe(1);
});

test('a timer that fires before its time is set again', () => {
  const { clock, ring, patience } = committed();
  patience.has('delivered');
  clock.now = 48;
  vi.advanceTimersByTime(51);
  expect(patience.has('delivered')).toBe(true);
  clock.now = 51;
  vi.advanceTimersByTime(3);
  expect(ring).toHaveBeenCalledTimes(2);
  expect(patience.has('delivered')).toBe(false);
});
