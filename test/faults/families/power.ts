/**
 * Power cuts at the block level. The daemon is stopped at any moment, between two system calls of its own, and what the
 * block device holds by then is copied: that is what was synced, and not what only the page cache had. The next daemon
 * gets the copy.
 */
import { compact } from '../../backends/etcd.ts';
import { watching } from '../../main-job/daemon-process.ts';
import { Tap } from '../../main-job/tap.ts';
import { BROKERS } from '../brokers.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { readStopped } from '../stopped-journal.ts';
import { noVolumes, type Volume } from '../volume.ts';

function powerCuts(): Fault {
  let early: string[] = [];
  return {
    name: 'power: cut, started again before and after a compaction',
    brokers: BROKERS,
    unavailable: noVolumes,
    // What is delivered goes after a minute, or each copy would take longer than the one before.
    scene: { emptyKube: true, volumeMiB: 512, journal: { retain: '60s' }, front: (kube) => Tap.open(kube) },
    async inject(scene) {
      early = [];
      let checked = 0;
      for (let cut = 0; cut < (scene.quick ? 5 : 100); cut += 1) {
        await watching(scene.metricsPort);
        await scene.written(scene.random.between(100, 600));
        await cutPower(scene, scene.volume);
        checked += await undurable(scene, checked, early);
        if (cut % 2 === 1) {
          await scene.written(100);
          await compact(scene.kube.address);
        }
        await scene.daemon.start();
      }
      await scene.written(300);
      const note = `${scene.kills} cuts, ${early.length} of ${checked} delivered records lost`;
      for (const broker of BROKERS) scene.notes.set(broker, note);
    },
    judge: () =>
      early.length === 0
        ? []
        : [
            `nothing is delivered before it is durable, but a power cut took ${early.length} records that a subscriber has`,
          ],
  };
}

async function cutPower(scene: Scene, volume: Volume): Promise<void> {
  scene.daemon.pause();
  const image = await volume.copy();
  await scene.kill();
  await volume.boot(image);
}

/**
 * Of what the MQTT subscriber got since the last cut, adds to `early` what the journal has not. Gives how much it looked
 * at. MQTT's, for it has it in memory.
 */
async function undurable(scene: Scene, checked: number, early: string[]): Promise<number> {
  const { records } = await readStopped(scene.journal);
  const seen = (await scene.seen('mqtt')).slice(checked);
  early.push(...seen.map(({ id }) => id).filter((id) => !records.has(id)));
  return seen.length;
}

export const POWER: readonly Fault[] = [powerCuts()];
