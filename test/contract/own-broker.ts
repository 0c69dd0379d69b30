import { test } from 'vitest';
import type { BackendName } from '../backends/backend.ts';
import { SOURCES } from '../backends/sources.ts';

/**
 * Whether this machine can start the broker as a program of its own, which the contract needs, for it freezes and kills
 * it. Where it cannot, a skipped test says why, and with REQUIRE_BACKENDS=1 it throws.
 */
export async function canStart(name: BackendName): Promise<boolean> {
  const lacking = await SOURCES[name].missing();
  if (lacking.length === 0) return true;
  const why = `the contract needs a ${name} of its own, and this machine lacks ${lacking.join(', ')}`;
  if (process.env.REQUIRE_BACKENDS === '1') throw new Error(`${why}; REQUIRE_BACKENDS=1 demands it.`);
  test.skip(why, () => {});
  return false;
}
