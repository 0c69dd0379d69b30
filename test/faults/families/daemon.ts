import { setTimeout as sleep } from 'node:timers/promises';
import { FAILPOINTS, type Failpoint } from '../../../src/failpoint.ts';
import { watching } from '../../main-job/daemon-process.ts';
import { BROKERS } from '../brokers.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

/** Reached only by other faults: a quota, a broker that is away, an end. */
const ELSEWHERE: readonly Failpoint[] = [];

/** How long the daemon may run before a failpoint counts as not reached. */
const REACH_MS = 20_000;

export const DAEMON: readonly Fault[] = [
  {
    name: 'daemon: killed at each failpoint',
    brokers: BROKERS,
    scene: { settleMs: 180_000 },
    async inject(scene) {
      await scene.kill();
      for (const point of scene.random.shuffled(FAILPOINTS.filter((name) => !ELSEWHERE.includes(name)))) {
        await killedAt(scene, point);
      }
      await scene.daemon.start();
    },
  },
  {
    name: 'daemon: killed at any moment',
    brokers: BROKERS,
    async inject(scene) {
      const kills = scene.quick ? 5 : 50;
      for (let kill = 0; kill < kills; kill += 1) {
        await sleep(scene.random.between(200, 3_000));
        await scene.kill();
        await scene.daemon.start();
      }
      await watching(scene.metricsPort);
    },
  },
  {
    name: 'daemon: frozen',
    brokers: BROKERS,
    async inject(scene) {
      for (let stop = 0; stop < (scene.quick ? 2 : 10); stop += 1) {
        await scene.written(300);
        scene.daemon.pause();
        await sleep(scene.quick ? 3_000 : 10_000);
        scene.daemon.resume();
      }
      await scene.written(300);
    },
  },
];

/** Runs the daemon until it comes there, for a time that chance gives; rejects when it never does. */
async function killedAt(scene: Scene, point: Failpoint): Promise<void> {
  const times = scene.random.between(1, 3);
  await scene.daemon.spawn({ KUBE_FANOUT_FAILPOINT: `${point}:${times}` });
  const given = new AbortController();
  const limit = sleep(REACH_MS, 'late', { signal: given.signal }).catch(() => 'early');
  const ended = scene.daemon.ended().then(() => 'ended');
  const how = await Promise.race([limit, ended]);
  given.abort();
  if (how !== 'ended') {
    await scene.daemon.stop();
    throw new Error(`the daemon never came to ${point} for the ${times}. time`);
  }
  scene.kills += 1;
}
