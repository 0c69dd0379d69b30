/** The journal lies on a disk that dies with the pod: a new pod reads again what the cluster still has. */
import { etcdRevision } from '../../backends/etcd.ts';
import { watching, writeConfig } from '../../main-job/daemon-process.ts';
import { BROKERS } from '../brokers.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { removeJournal } from './disk.ts';

/**
 * What was overwritten or deleted before the new pod lists nobody can give it, and nobody tells of it: a new journal does
 * not know what the old one had. It is counted as unrecoverable here, so nothing is written while the pod is replaced.
 */
async function replacePod(scene: Scene): Promise<void> {
  await scene.written(300);
  await scene.kill();
  await scene.written(100);
  await scene.rest();
  await removeJournal(scene);
  scene.forgotten.push({ stream: '_all', to: String(await etcdRevision(scene.kube.address)), cause: 'compacted' });
  await scene.daemon.start();
  await watching(scene.metricsPort);
  scene.write();
}

export const VOLUME_LESS: readonly Fault[] = [
  {
    name: 'no volume: the journal dies with the pod',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene) {
      await writeConfig({ ...scene.spec, source: {} });
      const pods = scene.quick ? 3 : 20;
      for (let pod = 0; pod < pods; pod += 1) await replacePod(scene);
      await scene.written(300);
    },
  },
];
