import type { Watch } from './api.ts';

interface Ending extends Pick<Watch, 'askedAt' | 'openedAt'> {
  /** When the last line had been read, and nothing held the reading up any more. */
  readonly quietSince: number;
}

/**
 * By its own timeout a watch ends cleanly even while the API server still has lines to send, as after a long stop or to a
 * slow reader. So the end says that everything was told only when the watch was read, and brought nothing, for its whole
 * second half. A stream with more to tell moves its checkpoint by its lines. (The API server's clock for it starts between
 * our question and its answer, and may differ a little from ours.)
 */
export function endingOf({ askedAt, openedAt, quietSince }: Ending, timeoutMs: number, atOnceMs: number) {
  const now = performance.now();
  if (now - askedAt >= timeoutMs * 0.99 && now - quietSince >= timeoutMs / 2) return 'timeout';
  return now - openedAt < atOnceMs ? 'at-once' : 'early';
}
