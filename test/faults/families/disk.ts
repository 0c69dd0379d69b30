/** The journal's disk: full, over its quota, failing, read-only, and damaged. */
import { rm } from 'node:fs/promises';
import { until, watching } from '../../main-job/daemon-process.ts';
import { BROKERS, type BrokerName, START } from '../brokers.ts';
import { classify } from '../classes.ts';
import type { Fault } from '../fault.ts';
import type { History } from '../history.ts';
import type { Scene } from '../scene.ts';
import { noVolumes } from '../volume.ts';

const FULL = /the disk of the journal is full/g;
const ROOM = /the disk of the journal has room again/g;
/** In a moment of the daemon's life: it runs, it starts, it is stopped. */
const PHASES = ['runs', 'starts', 'stops'] as const;

/** Settles when the daemon has said it so often more than when `happen` began. */
export async function saysAfter(scene: Scene, words: RegExp, happen: () => Promise<unknown>): Promise<void> {
  const count = async () => (await scene.log()).matchAll(words).toArray().length;
  const before = await count();
  await happen();
  await until(`the daemon says ${words}`, async () => (await count()) > before);
}

async function full(scene: Scene, phase: (typeof PHASES)[number]): Promise<void> {
  const { volume, daemon } = scene;
  if (phase === 'starts') {
    await scene.kill();
    await volume.fill();
    await daemon.spawn();
    await scene.written(200);
    await volume.free();
    // One that could not start has said so; whoever runs it starts it again.
    if (daemon.pid === undefined) await daemon.start();
  } else {
    await saysAfter(scene, FULL, () => volume.fill());
    await scene.written(200);
    if (phase === 'runs') return saysAfter(scene, ROOM, () => volume.free());
    await daemon.stop();
    await volume.free();
    await daemon.start();
  }
  await watching(scene.metricsPort);
}

/** The broker that a fault takes away is its own. */
function away(name: BrokerName, scene: Scene) {
  const broker = scene.brokers.find((one) => one.name === name);
  if (broker === undefined) throw new Error(`the scene has no ${name}`);
  return broker.program;
}

function expiredOf(history: History): Map<BrokerName, number> {
  return new Map(history.routes.map((route) => [route.broker, classify(history, route).counts.expired]));
}

/** Ends by itself, and says why, or the fault has not been shown. */
export async function endsSaying(scene: Scene, words: RegExp, happen: () => Promise<unknown>): Promise<void> {
  await saysAfter(scene, words, happen);
  await scene.daemon.ended();
  if (scene.daemon.exitCode !== 4) throw new Error(`it ended with ${scene.daemon.exitCode}, and 4 means this`);
}

export const DISK: readonly Fault[] = [
  {
    name: 'disk: full while it runs, starts and stops',
    brokers: BROKERS,
    unavailable: noVolumes,
    // Slower, and retention makes room for all that comes.
    scene: { rate: 300, volumeMiB: 64, journal: { retain: '10s' } },
    async inject(scene) {
      for (let round = 0; round < (scene.quick ? 1 : 10); round += 1) {
        for (const phase of scene.random.shuffled(PHASES)) {
          await scene.written(200);
          await full(scene, phase);
        }
      }
    },
  },
  {
    name: 'disk: over the quota, a broker away, its route says expire',
    brokers: BROKERS,
    scene: { rate: 300, start: { nats: START.nats }, journal: { maxSize: '4MiB' } },
    async inject(scene) {
      await away('nats', scene).kill();
      await scene.written(scene.quick ? 3_000 : 30_000);
      await away('nats', scene).start();
      await scene.written(100);
    },
    judge(_, history) {
      const expired = expiredOf(history);
      const others = BROKERS.filter((name) => name !== 'nats' && expired.get(name) !== 0);
      return [
        ...(expired.get('nats') === 0 ? ['the oldest expire at the quota, but none did'] : []),
        ...others.map((name) => `a route that lags harms no other, but ${expired.get(name)} expired on ${name}`),
      ];
    },
  },
  {
    name: 'disk: over the quota, a broker away, its route says block',
    brokers: BROKERS,
    scene: { rate: 300, start: { nats: START.nats }, journal: { maxSize: '4MiB' }, route: { atQuota: 'block' } },
    async inject(scene) {
      await saysAfter(scene, /no Event is taken in until this route/g, () => away('nats', scene).kill());
      await scene.written(scene.quick ? 600 : 10_000);
      await saysAfter(scene, /the journal takes Events in again/g, () => away('nats', scene).start());
      await scene.written(100);
    },
    judge: (_, history) =>
      [...expiredOf(history)].flatMap(([name, count]) =>
        count > 0 ? `nothing expires where all routes say block, but ${count} did on ${name}` : [],
      ),
  },
  {
    name: 'disk: every call fails with an I/O error',
    brokers: BROKERS,
    unavailable: noVolumes,
    scene: { volumeMiB: 128 },
    async inject(scene) {
      const { volume, daemon } = scene;
      for (let round = 0; round < (scene.quick ? 1 : 10); round += 1) {
        await scene.written(300);
        scene.kills += 1;
        await endsSaying(scene, /The journal failed, so nothing more can be promised/g, () => volume.fail());
        await endsSaying(scene, /the disk failed|cannot be opened|EIO/g, () => daemon.spawn());
        await volume.restore();
        await daemon.start();
        await watching(scene.metricsPort);
      }
      await scene.written(100);
    },
  },
  {
    name: 'disk: read-only',
    brokers: BROKERS,
    unavailable: noVolumes,
    scene: { volumeMiB: 128 },
    async inject(scene) {
      const { volume, daemon } = scene;
      await scene.written(300);
      await scene.kill();
      await volume.remount('ro');
      await endsSaying(scene, /the volume is read-only/g, () => daemon.spawn());
      await volume.remount('rw');
      await daemon.start();
      await watching(scene.metricsPort);
      await scene.written(300);
    },
  },
];

/** Away with it, as the daemon's words ask for. */
export async function removeJournal(scene: Scene): Promise<void> {
  await rm(scene.journal);
  for (const more of ['-wal', '-shm']) await rm(`${scene.journal}${more}`, { force: true });
}
