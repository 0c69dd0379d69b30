/** The load: a simulated API server with room for millions of Events, as a process of its own. */
import type { LoadOptions } from '../../src/simulator/load.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { serve } from './peer.ts';

/** Enough that no watch is ever told that it is too old. */
const LIMITS = {
  events: 1_200_000,
  revisions: 400_000,
  bytes: 4 * 1024 * 1024 * 1024,
  historySeconds: 3_600,
  eventTtlSeconds: 3_600,
};

const simulator = await startSimulator({ limits: LIMITS });

const calls = {
  address: (_: undefined) => simulator.address,
  /** Settles when all of them are written; gives how many seconds that took. */
  load: async (options: LoadOptions) => (await simulator.load(options)).seconds,
  /** When each was written, in milliseconds since 1970, by resourceVersion, from the n-th on. */
  emitted: (from: number) => Array.from(simulator.emitted.from(from), (one) => [one.resourceVersion, one.at] as const),
  count: (_: undefined) => simulator.emitted.count,
};

export type LoadCalls = typeof calls;

serve(calls);
