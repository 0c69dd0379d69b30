/**
 * A source that is killed in the middle of a list again and again, while Events are written, updated and deleted and the
 * history is compacted. KILLS=50 for the long run.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { openJournal } from '../../src/journal/open.ts';
import { backend } from '../backends/backend.ts';
import { compact } from '../backends/etcd.ts';
import { ordinaryEvents } from '../backends/events.ts';
import { startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter } from '../backends/load.ts';
import { type TruthRevision, watchTruth } from '../backends/truth.ts';
import { type GapData, startOnFile, temporaryFile } from './running-source.ts';
import type { SourceOrder, SourceReport } from './source-process.ts';

const KILLS = Number(process.env.KILLS ?? 6);

/** Settles when it was killed: in the middle of its list, after `pages` more pages. False when the list was over. */
async function killInList(order: SourceOrder, pages: number): Promise<boolean> {
  const child = fork(new URL('./source-process.ts', import.meta.url), { execArgv: [] });
  child.send(order);
  let inList = false;
  child.on('message', (report: SourceReport) => {
    inList = report.listing;
    if (report.pages >= pages || (report.pages > 1 && !report.listing)) child.kill('SIGKILL');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'exit');
  clearTimeout(timer);
  return inList;
}

function covered({ resourceVersion }: TruthRevision, gaps: readonly GapData[]): boolean {
  const rv = BigInt(resourceVersion);
  return gaps.some(({ from, to }) => BigInt(from ?? 0) < rv && rv <= BigInt(to));
}

/** Eight writers that create, repeat and delete until they are told to stop. */
function write(writer: EventWriter, stream: string) {
  let writing = true;
  const work = async (index: number) => {
    while (writing) {
      for (const event of ordinaryEvents(stream, 5)) {
        const written = await writer.create(event);
        await writer.repeat(written);
        if (index === 0) await writer.delete(written);
      }
    }
  };
  const done = Promise.all(Array.from({ length: 8 }, (_, index) => work(index)));
  return {
    async [Symbol.asyncDispose]() {
      writing = false;
      await done;
    },
  };
}

async function isListed(path: string): Promise<boolean> {
  const options = { cluster: 'test', log: pino({ level: 'silent' }), retainMs: 3_600_000, maxBytes: 2 ** 30 };
  await using journal = await openJournal({ path, sync: 'normal', ...options });
  return (await journal.streams()).some(({ rv, listing }) => rv !== undefined || listing !== undefined);
}

describe.skipIf(backend('kube') === null)('a list that is killed again and again under writers', () => {
  it.each([
    ['loses nothing', false],
    ['loses only what a gap record announces, when the history is compacted between', true],
  ])(
    '%s',
    async (_, compacting) => {
      await using kube = await startKube();
      await using client = new KubeClient(kube.address);
      await using writer = new EventWriter(kube.address);
      await using truth = await watchTruth(kube.address);
      await using file = await temporaryFile();
      const stream = await client.createNamespace();
      await writer.each(ordinaryEvents(stream, 200 + KILLS * 90), (event) => writer.create(event));
      const { server, ca, token } = kube.address;
      const order: SourceOrder = { path: file.path, server, ca, token, stream, pageEvents: 20 };
      do await killInList(order, 3);
      while (!(await isListed(file.path)));

      let kills = 0;
      {
        await using _writing = write(writer, stream);
        for (let turn = 0; turn < KILLS; turn += 1) {
          kills += Number(await killInList(order, 1 + (turn % 4)));
          if (compacting && turn % 3 === 2) await compact(kube.address);
        }
      }

      const cluster = { server: new URL(server), ca, token: async () => token, describe: 'the test' };
      await using source = await startOnFile(file.path, { cluster, streams: [stream] });
      await truth.upTo();
      const newest = BigInt(truth.revisions.at(-1)?.resourceVersion ?? 0);
      await source.until('it has read on to the end', () => BigInt(source.status.rv ?? 0) >= newest);
      const [ids, gaps] = [await source.ids(), await source.gaps()];
      const lacking = truth.revisions.filter(
        (each) => !each.deleted && !ids.has(`${each.uid}.${each.resourceVersion}`),
      );
      const last = new Map(truth.revisions.map((each) => [each.name, each]));
      process.stdout.write(
        `${kills} of ${KILLS} kills in the list; ${truth.revisions.length} revisions, ${lacking.length} lost in ` +
          `${gaps.length} gaps: ${gaps.map(({ cause, recovered }) => `${cause}, ${recovered} recovered`)}\n`,
      );
      expect(lacking.filter((each) => !covered(each, gaps))).toEqual([]);
      expect(lacking.filter((each) => last.get(each.name) === each)).toEqual([]);
      if (!compacting) expect(gaps).toEqual([]);
      expect(kills).toBeGreaterThan(0);
    },
    60_000 + KILLS * 15_000,
  );
});
