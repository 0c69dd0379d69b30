/** The wall clock is set while the daemon runs, by Debian's faketime; the steady clock is left alone, as by an operator. */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from '../../backends/machine.ts';
import { until, watching } from '../../main-job/daemon-process.ts';
import { Tap } from '../../main-job/tap.ts';
import { BROKERS, START } from '../brokers.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;

async function set(scene: Scene, offset: string): Promise<void> {
  await writeFile(clockOf(scene), `${offset}\n`);
}

function clockOf(scene: Scene): string {
  return join(dirname(scene.daemon.log), 'clock');
}

async function startWithClock(scene: Scene): Promise<void> {
  await set(scene, '+0');
  await scene.daemon.spawn({
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: clockOf(scene),
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  await watching(scene.metricsPort);
}

/** By the time of its own log lines. */
async function believes(scene: Scene, hours: number): Promise<void> {
  await until(`the daemon's clock is set by ${hours} h`, async () => {
    const times = (await scene.log()).matchAll(/"time":"([^"]+)"/g);
    const last = Date.parse(times.toArray().at(-1)?.[1] ?? '');
    return Math.abs(last - Date.now() - hours * 3_600_000) < 600_000;
  });
}

export const CLOCK: readonly Fault[] = [
  {
    name: 'clock: set back and forward by hours',
    brokers: BROKERS,
    unavailable: async () => ((await exists(LIBRARY)) ? undefined : 'faketime is not installed'),
    // A certificate is not valid before it was made, so the API server is reached without.
    scene: { start: { nats: START.nats }, front: (kube) => Tap.open(kube) },
    async inject(scene) {
      const nats = scene.brokers.find(({ name }) => name === 'nats')?.program;
      await scene.kill();
      await startWithClock(scene);
      for (const hours of scene.random.shuffled([-5, 3, 25, -30])) {
        // It logs what it believes when a broker goes; what that one has not had must not go by age.
        await nats?.kill();
        await scene.written(300);
        await set(scene, `${hours > 0 ? '+' : ''}${hours}h`);
        await scene.written(scene.quick ? 300 : 10_000);
        await nats?.start();
        await believes(scene, hours);
        await scene.written(300);
      }
      // Kafka takes no message from more than an hour ahead: that route waits until somebody sets the clock right.
      await set(scene, '+0');
    },
  },
];
