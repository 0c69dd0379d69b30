/** A list that takes longer than the history is kept, of a daemon that is killed in the middle of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compact, etcdPutAll } from '../../backends/etcd.ts';
import { storedEvents } from '../../backends/events.ts';
import { until, watching } from '../../main-job/daemon-process.ts';
import type { Moment, Tap } from '../../main-job/tap.ts';
import type { Fault } from '../fault.ts';
import { counted, note, tapped } from '../fronts.ts';
import { leanKafka } from '../lean-kafka.ts';
import type { Scene } from '../scene.ts';

const QUICK = 20_000;
const FULL = 1_000_000;
const PAGE = 500;
/** 200 is the goal, and the table says what it was; a memory that grew with the list would pass this by far. */
const BOUND_MIB = 256;
const MOMENTS: readonly Moment[] = ['asked', 'half', 'answered'];
/** The daemon takes in some thousands a second, and delivers as many. */
const LIST_MS = 1_800_000;

/** Forgets all history again and again until it is disposed of. */
function compacting(scene: Scene, everyMs: number): AsyncDisposable {
  const end = new AbortController();
  const work = async () => {
    while (!end.signal.aborted) {
      await compact(scene.kube.address);
      await sleep(everyMs, undefined, { signal: end.signal }).catch(() => {});
    }
  };
  const working = work();
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await working;
    },
  };
}

/** Settles at that moment of the n-th page from now. */
async function pageOf(tap: Tap, n: number, moment: Moment): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const last = tap.pages + n;
  tap.onPage = (now) => {
    if (tap.pages >= last && now === moment) resolve();
  };
  await promise;
}

export const API_SERVER_LIST: readonly Fault[] = [
  tapped({
    name: 'API server: a long list, history compacted meanwhile, and the daemon killed in it',
    brokers: ['kafka'],
    scene: {
      rate: 100,
      atLeast: QUICK,
      ownKube: true,
      memoryMiB: BOUND_MIB,
      settleMs: LIST_MS,
      journal: { maxSize: '16GiB' },
      start: { kafka: leanKafka },
    },
    async inject(scene, tap) {
      const count = scene.quick ? QUICK : FULL;
      const kills = scene.quick ? 3 : 20;
      await scene.written(100);
      await scene.kill();
      await etcdPutAll(scene.kube.address, storedEvents(scene.namespace, count));
      await scene.truth.upTo();
      await using _ = compacting(scene, scene.quick ? 2_000 : 30_000);
      const most = Math.floor(count / PAGE / (kills + 1));
      for (let kill = 0; kill < kills; kill += 1) {
        const killing = pageOf(tap, scene.random.between(1, most), scene.random.pick(MOMENTS));
        await scene.daemon.spawn();
        await killing;
        await scene.kill();
      }
      await scene.daemon.start();
      await until('the list has ended', async () => (await counted(scene, 'gaps')) > 0, LIST_MS);
      await watching(scene.metricsPort);
      await scene.written(100);
      note(scene, `${tap.pages} pages, ${tap.presents.length} from the present`);
    },
  }),
];
