import { describe } from 'vitest';
import { backend } from '../backends/backend.ts';
import { compact } from '../backends/etcd.ts';
import { startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { listWatchContract } from './list-watch-contract.ts';

const kube = backend('kube');

// One of its own: it is compacted, which would hurt whoever else reads from the server that the run shares.
describe.skipIf(!kube?.etcd)('the contract', () => {
  listWatchContract('of the real API server', async () => {
    const own = await startKube();
    await using client = new KubeClient(own.address);
    const strangersToken = await client.createServiceAccount({ namespace: 'default', name: 'stranger', rules: [] });
    return {
      address: own.address.server,
      ca: own.address.ca,
      token: own.address.token,
      strangersToken,
      compact: async () => void (await compact(own.address)),
      [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
    };
  });
});
