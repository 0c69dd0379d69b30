import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endingOf } from '../../src/source/ending.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** The end of a watch of 120 s, `quietMs` after its last line. */
function endOf({ afterMs, quietMs }: { afterMs: number; quietMs: number }) {
  const openedAt = performance.now();
  vi.advanceTimersByTime(afterMs);
  return endingOf({ askedAt: openedAt, openedAt, quietSince: performance.now() - quietMs }, 120_000, 2_000);
}

describe('a watch that ends cleanly', () => {
  it('by its timeout, and quiet for its second half, has told everything', () => {
    expect(endOf({ afterMs: 120_000, quietMs: 120_000 })).toBe('timeout');
    expect(endOf({ afterMs: 120_000, quietMs: 61_000 })).toBe('timeout');
  });

  it('by its timeout, but with lines shortly before, may have had more to tell', () => {
    expect(endOf({ afterMs: 120_000, quietMs: 10 })).toBe('early');
    expect(endOf({ afterMs: 120_000, quietMs: 59_000 })).toBe('early');
  });

  it('before its timeout has told nothing for sure', () => {
    expect(endOf({ afterMs: 60_000, quietMs: 60_000 })).toBe('early');
    expect(endOf({ afterMs: 1_000, quietMs: 1_000 })).toBe('at-once');
  });
});
