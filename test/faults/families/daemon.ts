import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../backends/process.ts';
import { metricsAt, startDaemonProcess, watching } from '../../main-job/daemon-process.ts';
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
    name: 'daemon: killed while it starts',
    brokers: BROKERS,
    async inject(scene) {
      const kills = scene.quick ? 10 : 100;
      for (let kill = 0; kill < kills; kill += 1) {
        await scene.kill();
        await scene.daemon.spawn();
        await sleep(scene.random.between(0, 1_500));
      }
      await watching(scene.metricsPort);
      await scene.written(300);
    },
  },
  {
    name: 'daemon: two on one journal, each taking over from the other',
    brokers: BROKERS,
    async inject(scene) {
      const port = await freePort();
      const more = { ...scene.spec.more, metrics: { host: '127.0.0.1', port } };
      await using second = await startDaemonProcess({ ...scene.spec, name: 'second', more });
      for (let turn = 0; turn < (scene.quick ? 2 : 20); turn += 1) {
        await scene.written(300);
        if ((await metricsAt(port)) !== '') throw new Error('the second one does not wait');
        await scene.kill();
        await watching(port);
        await scene.daemon.spawn();
        await scene.written(300);
        if ((await metricsAt(scene.metricsPort)) !== '') throw new Error('the first one does not wait');
        scene.kills += 1;
        await second.kill();
        await watching(scene.metricsPort);
        await second.spawn();
      }
      await second.kill();
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
