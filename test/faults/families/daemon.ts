import { setTimeout as sleep } from 'node:timers/promises';
import { watching } from '../../main-job/daemon-process.ts';
import { BROKERS } from '../brokers.ts';
import type { Fault } from '../fault.ts';

export const DAEMON: readonly Fault[] = [
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
