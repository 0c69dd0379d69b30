/** The journal takes nothing: whoever watches and does not read makes the API server pay for it. */
import { readFile } from 'node:fs/promises';
import { etcdPutAll } from '../../backends/etcd.ts';
import { storedEvents } from '../../backends/events.ts';
import { until } from '../../main-job/daemon-process.ts';
import { START } from '../brokers.ts';
import { classify } from '../classes.ts';
import type { Fault } from '../fault.ts';
import { note } from '../fronts.ts';
import type { Scene } from '../scene.ts';

const FULL = /no Event is taken in until this route/;
const CLOSED = /the journal takes nothing, so the watch is closed/;
const BYTES = 8 * 1024;
/** Beyond this the API server keeps for the daemon what the daemon does not read: of 80 MiB a stalled watch made it keep 195. */
const GROWTH_MIB = 40;

async function rssMiB(scene: Scene): Promise<number> {
  const status = await readFile(`/proc/${scene.kube.apiserver.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

async function write(scene: Scene, events: number): Promise<void> {
  await etcdPutAll(scene.kube.address, storedEvents(scene.namespace, events, BYTES));
}

function unread(): Fault {
  /** In MiB. */
  let [before, after] = [0, 0];
  return {
    name: 'API server: not read while the journal is full',
    brokers: ['nats'],
    scene: {
      rate: 200,
      ownKube: true,
      settleMs: 900_000,
      start: { nats: START.nats },
      journal: { maxSize: '4MiB' },
      route: { atQuota: 'block' },
    },
    async inject(scene) {
      const [nats] = scene.brokers;
      await nats?.program.kill();
      await until('the journal is full', async () => FULL.test(await scene.log()));
      await scene.rest();
      await write(scene, 1_500);
      await until('the watch is closed', async () => CLOSED.test(await scene.log()));
      before = await rssMiB(scene);
      await write(scene, scene.quick ? 5_000 : 100_000);
      after = await rssMiB(scene);
      await nats?.program.start();
    },
    judge(scene, history) {
      note(scene, `API server ${Math.round(before)} MiB, then ${Math.round(after)}`);
      const expired = history.routes.reduce((sum, route) => sum + classify(history, route).counts.expired, 0);
      return [
        ...(after - before > GROWTH_MIB ? ['the API server keeps nothing for who does not read, but it grew'] : []),
        ...(expired > 0 ? [`nothing expires where the route says block, but ${expired} did`] : []),
      ];
    },
  };
}

export const API_SERVER_BLOCKED: readonly Fault[] = [unread()];
