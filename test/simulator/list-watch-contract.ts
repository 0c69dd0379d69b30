import { afterAll, beforeAll, describe } from 'vitest';
import { ApiClient, type ApiServer } from './api-server.ts';
import { listContract } from './list-contract.ts';
import { watchContract } from './watch-contract.ts';
import { writeContract } from './write-contract.ts';

/**
 * What kube-fanout relies on in an API server, and what its simulation must do as the real one does: the same cases run
 * against both, so that the simulation cannot drift from what it plays.
 */
export function listWatchContract(name: string, start: () => Promise<ApiServer>): void {
  describe(name, () => {
    let client: ApiClient | undefined;
    const the = () => {
      if (client === undefined) throw new Error(`${name} has not been started.`);
      return client;
    };
    beforeAll(async () => {
      client = new ApiClient(await start());
    });
    afterAll(async () => {
      await client?.[Symbol.asyncDispose]();
      await client?.server[Symbol.asyncDispose]();
    });
    listContract(the);
    watchContract(the);
    writeContract(the);
  });
}
