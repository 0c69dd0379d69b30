import { startSimulator } from '../../src/simulator/simulator.ts';
import { listWatchContract } from './list-watch-contract.ts';

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
