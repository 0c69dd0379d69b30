/** A program of its own, to be killed: a source over a journal, that reports how far its list is. See killed-list.real.test.ts. */
import { setInterval } from 'node:timers/promises';
import { LIMITS } from '../../src/source/limits.ts';
import { startOnFile } from './running-source.ts';

export interface SourceOrder {
  readonly path: string;
  readonly server: string;
  readonly ca: string;
  readonly token: string;
  readonly stream: string;
  readonly pageEvents: number;
}

export interface SourceReport {
  readonly pages: number;
  readonly listing: boolean;
}

process.once('message', async (order: SourceOrder) => {
  const { path, server, ca, token, stream, pageEvents } = order;
  const cluster = { server: new URL(server), ca, token: async () => token, describe: 'the test' };
  const source = await startOnFile(path, { cluster, streams: [stream], limits: { ...LIMITS, pageEvents } });
  for await (const _ of setInterval(5)) {
    const { counters, paging } = source.status;
    const report: SourceReport = { pages: counters.pages, listing: paging !== 'idle' };
    if (process.connected) process.send?.(report);
  }
});
