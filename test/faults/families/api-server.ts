/** The API server and its etcd die, freeze, and are out of reach. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../../backends/process.ts';
import { watching } from '../../main-job/daemon-process.ts';
import type { Fault } from '../fault.ts';
import { networked } from '../fronts.ts';
import type { Scene } from '../scene.ts';

const BROKERS = ['mqtt', 'nats'] as const;

async function killed(scene: Scene, program: Program): Promise<void> {
  for (let kill = 0; kill < (scene.quick ? 3 : 30); kill += 1) {
    await scene.written(scene.random.between(50, 600));
    await program.kill();
    await sleep(scene.random.between(0, 2_000));
    await program.start();
  }
  await watching(scene.metricsPort);
  await scene.written(300);
}

export const API_SERVER: readonly Fault[] = [
  {
    name: 'API server: killed',
    brokers: BROKERS,
    inject: (scene) => killed(scene, scene.kube.apiserver),
  },
  {
    name: 'API server: its etcd killed',
    brokers: BROKERS,
    inject: (scene) => killed(scene, scene.kube.etcd),
  },
  {
    name: 'API server: frozen',
    brokers: BROKERS,
    async inject(scene) {
      const { apiserver } = scene.kube;
      // The last one is longer than a watch, so that its silence is noticed.
      for (const ms of scene.quick ? [3_000, 3_000] : [...Array<number>(10).fill(10_000), 200_000]) {
        await scene.written(300);
        apiserver.pause();
        await sleep(ms).finally(() => apiserver.resume());
      }
      await scene.written(300);
    },
  },
  networked({
    name: 'API server: connections cut',
    brokers: BROKERS,
    async inject(scene, { proxy }) {
      for (let cut = 0; cut < (scene.quick ? 4 : 100); cut += 1) {
        await watching(scene.metricsPort);
        await scene.written(scene.random.between(10, 300));
        await proxy.cut();
        await sleep(scene.random.between(0, 500));
        await proxy.mend();
      }
      await watching(scene.metricsPort);
      await scene.written(300);
    },
  }),
  networked({
    name: 'API server: blackhole',
    brokers: BROKERS,
    async inject(scene, { proxy }) {
      // The longest is noticed by its silence alone: a watch that is asked for two minutes says something by then.
      for (const ms of scene.quick ? [5_000] : [10_000, 60_000, 200_000]) {
        await watching(scene.metricsPort);
        await scene.written(300);
        await proxy.swallow('upstream', 'downstream');
        await sleep(ms);
        await proxy.mend();
      }
      await scene.written(300);
    },
  }),
];
