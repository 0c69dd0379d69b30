import { vi } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { listWatchContract } from './list-watch-contract.ts';

// Watches last a second at least: on a busy machine several at once take their time.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

listWatchContract('the simulated API server', async () => {
  const tokens = { 'admin-token': { name: 'admin' }, 'strangers-token': { name: 'stranger', verbs: [] } };
  const simulator = await startSimulator({ tokens });
  return {
    address: simulator.address,
    token: 'admin-token',
    strangersToken: 'strangers-token',
    compact: async () => simulator.faults.compact(),
    [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
  };
});
