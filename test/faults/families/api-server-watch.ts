/** What a watch brings is cut, damaged, told again, or hidden. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ordinaryEvents } from '../../backends/events.ts';
import { EventWriter } from '../../backends/load.ts';
import { until, watching } from '../../main-job/daemon-process.ts';
import { byLine, type Tap } from '../../main-job/tap.ts';
import type { Fault } from '../fault.ts';
import { counted, note, tapped } from '../fronts.ts';
import { repeatsIn } from '../promises.ts';
import type { Random } from '../random.ts';
import type { Scene } from '../scene.ts';

const BROKERS = ['mqtt', 'nats'] as const;

/** Each watch ends within so many bytes, by a broken connection or in good order. */
const CUT_BEFORE = 30_000;

function cutAnywhere(tap: Tap, random: Random): () => number {
  let cuts = 0;
  tap.meddle = async function* (watch) {
    let left = random.between(0, CUT_BEFORE);
    const broken = random.next() < 0.5;
    for await (const chunk of watch) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left > 0) continue;
      cuts += 1;
      if (broken) throw new Error('cut');
      return;
    }
  };
  return () => cuts;
}

/** More than the daemon takes for a line. */
const HUGE = `{"type":"ADDED","object":{"message":"${'x'.repeat(17 * 1024 * 1024)}"}}`;

/** What is no line of a watch, or none any more. */
const GARBAGE: readonly ((line: string, random: Random) => string | Uint8Array)[] = [
  (line, random) => line.slice(0, random.between(1, line.length - 1)),
  (line, random) => line.slice(random.between(1, line.length - 1)),
  (_, random) => Buffer.from(Array.from({ length: 200 }, () => random.between(0x0b, 0xff))),
  () => '<html><body>502 Bad Gateway</body></html>',
  () => 'null',
  () => '[]',
  () => '{}',
  () => '{"type":"ADDED"}',
  () => '{"type":"ADDED","object":{"metadata":{"name":"without a version"}}}',
  () => '{"kind":"Status","apiVersion":"v1","status":"Failure","code":500}',
  () => '\u0000\u2028\u{1F600}',
];

/** In each watch, behind some lines: before one of them or in its place. Gives how often. */
function damaged(tap: Tap, random: Random): () => number {
  let damages = 0;
  tap.meddle = (watch) => {
    let left = random.between(1, 100);
    return byLine((line) => {
      left -= 1;
      if (left !== 0) return [line];
      damages += 1;
      const made = damages === 1 ? HUGE : random.pick(GARBAGE)(line, random);
      return random.next() < 0.5 ? [made, line] : [made];
    })(watch);
  };
  return () => damages;
}

/** Lines that a client has had already come again: some between the new ones, and many when a watch begins. */
function toldAgain(tap: Tap, random: Random): () => number {
  const old: string[] = [];
  let again = 0;
  tap.meddle = (watch) => {
    let first = true;
    return byLine((line) => {
      const count = first ? 200 : random.next() < 0.1 ? random.between(1, 20) : 0;
      first = false;
      const told = Array.from({ length: old.length > 0 ? count : 0 }, () => random.pick(old));
      again += told.length;
      if (old.push(line) > 2_000) old.shift();
      return random.next() < 0.5 ? [...told, line] : [line, ...told];
    })(watch);
  };
  return () => again;
}

const HIDDEN = 20;

/** Writes some Events of which no watch tells. Nobody writes them again, so nothing of them can be lost. */
async function hide(scene: Scene, tap: Tap): Promise<void> {
  let hidden = 0;
  tap.meddle = byLine((line) => {
    if (!line.includes('"reason":"Hidden"')) return [line];
    hidden += 1;
    return [];
  });
  tap.cutWatches();
  await watching(scene.metricsPort);
  await using writer = new EventWriter(scene.kube.address);
  const events = [...ordinaryEvents(scene.namespace, HIDDEN)].map((event) => ({ ...event, reason: 'Hidden' }));
  await writer.each(events, (event) => writer.create(event));
  await until('they are hidden', () => hidden === HIDDEN);
  await scene.written(100);
}

async function found(scene: Scene): Promise<void> {
  await until('an audit finds what was hidden', async () => (await counted(scene, 'audit_found')) === HIDDEN);
}

export const API_SERVER_WATCH: readonly Fault[] = [
  tapped({
    name: 'API server: the watch is cut at any byte',
    brokers: BROKERS,
    async inject(scene, tap) {
      await watching(scene.metricsPort);
      const cuts = cutAnywhere(tap, scene.random);
      tap.cutWatches();
      await until('it is cut often', () => cuts() >= (scene.quick ? 10 : 300), 900_000);
      note(scene, `${cuts()} cuts`);
      tap.meddle = (watch) => watch;
      await scene.written(300);
    },
  }),
  tapped({
    name: 'API server: lines of the watch damaged',
    brokers: BROKERS,
    async inject(scene, tap) {
      await watching(scene.metricsPort);
      const damages = damaged(tap, scene.random);
      tap.endWatches();
      await until('lines are damaged often', () => damages() >= (scene.quick ? 8 : 200), 900_000);
      tap.meddle = (watch) => watch;
      note(scene, `${damages()} damaged`);
      await scene.written(300);
    },
    // It is asked for again, and nobody says that it is gone.
    judge: (_, { routes }) =>
      routes.flatMap(({ route, gaps }) =>
        gaps.length === 0 ? [] : [`a damaged line is asked for again, but ${route} has ${gaps.length} gaps`],
      ),
  }),
  tapped({
    name: 'API server: the watch tells old lines again',
    brokers: BROKERS,
    async inject(scene, tap) {
      await watching(scene.metricsPort);
      const again = toldAgain(tap, scene.random);
      for (let round = 0; round < (scene.quick ? 3 : 50); round += 1) {
        tap.endWatches();
        await scene.written(500);
      }
      note(scene, `${again()} old lines`);
    },
    async judge(scene, { routes, truth, journal }) {
      const repeats = routes.reduce((sum, { seen }) => sum + repeatsIn(seen), 0);
      const last = BigInt(truth.at(-1)?.resourceVersion ?? 0);
      const noticed = (await scene.log()).includes('sends again what it has sent');
      return [
        ...(repeats > 0 ? [`what was read once is delivered once, but ${repeats} came again`] : []),
        ...((journal.checkpoints.get('_all') ?? 0n) < last ? ['the checkpoint never goes back, but it did'] : []),
        ...(noticed ? [] : ['old lines are noticed, but they were not']),
      ];
    },
  }),
  tapped({
    name: 'API server: Events hidden from the watch, and found when the daemon starts',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      for (let round = 0; round < (scene.quick ? 1 : 10); round += 1) {
        await hide(scene, tap);
        await scene.kill();
        await scene.daemon.start();
        await found(scene);
      }
    },
  }),
  tapped({
    name: 'API server: Events hidden from the watch, and found after an outage',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      await hide(scene, tap);
      // It fails once, and then hangs for longer than an outage must last to be followed by an audit.
      tap.instead = () => sleep(31_000, undefined);
      tap.cutWatches();
      await sleep(31_000);
      tap.instead = () => undefined;
      await found(scene);
    },
  }),
];
