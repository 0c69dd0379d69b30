/** etcd is restored from a backup: what it had since is gone, and its resourceVersions come again with other content. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdRevision } from '../../backends/etcd.ts';
import { restoreBackup, saveBackup } from '../../backends/etcd-backup.ts';
import { until, watching } from '../../main-job/daemon-process.ts';
import type { Answer } from '../../main-job/tap.ts';
import type { Fault } from '../fault.ts';
import { counted, note, tapped } from '../fronts.ts';
import type { Scene } from '../scene.ts';

const BROKERS = ['mqtt', 'nats'] as const;

const BUSY: Answer = { status: 503, body: 'busy' };

interface Backup extends AsyncDisposable {
  /** Settles when the API server is back, as it was when the backup was taken. */
  restore(): Promise<void>;
}

/** Nothing is written meanwhile, so that it is known where it stands. */
async function backUp(scene: Scene): Promise<Backup> {
  await scene.written(200);
  await scene.rest();
  await using scope = new AsyncDisposableStack();
  const { path } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-backup-')));
  const file = join(path, 'snapshot.db');
  const stood = await etcdRevision(scene.kube.address);
  await saveBackup(scene.kube.address, file);
  scene.write();
  const owned = scope.move();
  return {
    async restore() {
      await scene.rest();
      await scene.truth.upTo();
      await restoreBackup(scene.kube, file);
      scene.truth.restored(stood);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function noticed(scene: Scene): Promise<void> {
  await until('the daemon says that the cluster was restored', async () => (await counted(scene, 'gaps')) > 0);
}

export const API_SERVER_RESTORED: readonly Fault[] = [
  tapped({
    name: 'API server: its etcd restored from a backup, and seen to go back',
    brokers: BROKERS,
    scene: { ownKube: true },
    async inject(scene, tap) {
      await using backup = await backUp(scene);
      await scene.written(500);
      // One that is just back is busy: it cannot list for a while, and is written to meanwhile.
      tap.instead = (question) => (question === 'page' ? BUSY : undefined);
      await backup.restore();
      await noticed(scene);
      scene.write();
      await scene.written(500);
      tap.instead = () => undefined;
      await watching(scene.metricsPort);
      await scene.written(300);
    },
  }),
  {
    name: 'API server: its etcd restored from a backup, and ahead again before the daemon is back',
    brokers: BROKERS,
    scene: { ownKube: true },
    async inject(scene) {
      await using backup = await backUp(scene);
      await scene.written(300);
      await scene.kill();
      await scene.written(100);
      const stood = await etcdRevision(scene.kube.address);
      await backup.restore();
      scene.write();
      await until('the cluster has overtaken', async () => (await etcdRevision(scene.kube.address)) > stood + 100n);
      await scene.daemon.start();
      await noticed(scene);
      await watching(scene.metricsPort);
      await scene.written(300);
      note(scene, 'found by the audit');
    },
  },
];
