/**
 * The daemon is killed at every failpoint of src/failpoint.ts, each time in the circumstances in which it gets there.
 * Chance gives the order, and at which time it dies.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FAILPOINTS, type Failpoint } from '../../../src/failpoint.ts';
import { compact } from '../../backends/etcd.ts';
import { ordinaryEvents } from '../../backends/events.ts';
import { EventWriter } from '../../backends/load.ts';
import { type NatsBackend, startNats } from '../../backends/nats.ts';
import { metricsAt, until, watching } from '../../main-job/daemon-process.ts';
import { Tap } from '../../main-job/tap.ts';
import { BROKERS } from '../brokers.ts';
import type { Fault } from '../fault.ts';
import { REASONS, type ReasonStream, reasonStream } from '../reasons.ts';
import type { Scene } from '../scene.ts';

/** How long the daemon may run before a failpoint counts as not reached. */
const REACH_MS = 60_000;
/** Lists have four pages. */
const EVENTS = 1_800;

interface Stage {
  readonly scene: Scene;
  readonly tap: Tap;
  readonly nats: NatsBackend;
  readonly reasons: ReasonStream;
}

/** What takes the daemon to some of the failpoints. */
interface Circumstance {
  readonly points: readonly Failpoint[];
  /** So often it gets there in one life, at least; once unless given. */
  readonly times?: number;
  /** While it is dead. */
  before?(stage: Stage): Promise<unknown>;
  /** When it has been started with the failpoint. */
  meanwhile?(stage: Stage): Promise<unknown>;
  /** It is dead again. */
  after?(stage: Stage): Promise<unknown>;
}

const CIRCUMSTANCES: readonly Circumstance[] = [
  {
    points: ['journal.opened', 'daemon.routes-made', 'source.started', 'source.probed', 'source.watch-opened'],
  },
  { points: ['route.opened', 'route.connected'], times: BROKERS.length },
  {
    points: ['source.lines-read', 'source.appending', 'source.appended', 'journal.committing', 'journal.written'],
    times: 40,
  },
  { points: ['journal.committed', 'journal.acknowledged', 'route.read'], times: 40 },
  { points: ['route.publishing', 'route.acknowledged', 'route.settling', 'route.settled'], times: 40 },
  {
    points: ['source.watch-ended'],
    async meanwhile({ scene, tap }) {
      await watching(scene.metricsPort);
      // More than once: one that happens to end within a line is broken, and not ended.
      const died = async () => {
        tap.endWatches();
        await sleep(500);
        return scene.daemon.pid === undefined;
      };
      await until('a watch has ended', died, REACH_MS);
    },
  },
  { points: ['source.expired', 'source.first-page-read', 'source.gap-found'], before: compacted },
  { points: ['source.page-read', 'source.appending-page', 'source.appended-page'], times: 3, before: compacted },
  {
    points: ['journal.retained'],
    times: 2,
    before: ({ scene }) => scene.reconfigure({ retain: '1s' }),
    after: ({ scene }) => scene.reconfigure({}),
  },
  {
    points: ['journal.expiring'],
    times: 2,
    async before({ scene, nats }) {
      await nats.program.kill();
      await scene.reconfigure({ maxSize: '2MiB' });
    },
    async after({ scene, nats }) {
      await scene.reconfigure({});
      await nats.program.start();
    },
  },
  {
    points: ['route.parked'],
    times: 2,
    before: ({ reasons }) => reasons.take(REASONS.slice(2)),
    after: ({ reasons }) => reasons.take(REASONS),
  },
  {
    points: ['route.lane-loaded'],
    times: 2,
    async before({ scene, reasons }) {
      await reasons.take(REASONS.slice(2));
      await scene.daemon.spawn();
      const parked = /^kube_fanout_route_pending\{route="nats"\} [1-9]\d/m;
      await until('messages are parked', async () => parked.test(await metricsAt(scene.metricsPort)));
      await scene.kill();
      await reasons.take(REASONS);
    },
  },
  {
    points: ['route.lost-connection'],
    async meanwhile({ scene, nats }) {
      const up = /^kube_fanout_route_up\{route="nats"\} 1$/m;
      await until('the route is connected', async () => up.test(await metricsAt(scene.metricsPort)));
      await nats.program.kill();
      // A connection is known to be lost when something is sent.
      await scene.written(20);
    },
    after: ({ nats }) => nats.program.start(),
  },
  {
    points: ['daemon.stopping', 'route.ended', 'journal.closing', 'journal.closed'],
    async meanwhile({ scene }) {
      await watching(scene.metricsPort);
      if (scene.daemon.pid !== undefined) process.kill(scene.daemon.pid, 'SIGTERM');
    },
  },
];

/**
 * Takes the journal away, and with it what it knows of the fate of each: so it is the first, when there is little.
 * Whatever was written is delivered before, and nothing is written meanwhile.
 */
const CREATING: Circumstance = {
  points: ['journal.creating'],
  async before({ scene }) {
    await scene.settle();
    await scene.kill();
    await rm(scene.journal);
    await rm(`${scene.journal}-wal`, { force: true });
  },
  async after({ scene }) {
    await scene.daemon.start();
    await watching(scene.metricsPort);
    scene.write();
  },
};

function killedAtEach(): Fault {
  let made: Partial<Omit<Stage, 'scene'>> = {};
  return {
    name: 'daemon: killed at each failpoint',
    brokers: BROKERS,
    scene: {
      rate: 300,
      emptyKube: true,
      settleMs: 300_000,
      async front(kube) {
        const tap = await Tap.open(kube);
        made = { ...made, tap };
        return tap;
      },
      start: {
        async nats() {
          const nats = await startNats();
          const reasons = await reasonStream(nats.address);
          made = { ...made, nats, reasons };
          const dispose = () => nats[Symbol.asyncDispose]();
          const { program } = nats;
          return { name: 'nats', program, subscriber: async () => reasons.subscriber, [Symbol.asyncDispose]: dispose };
        },
      },
    },
    async inject(scene) {
      const { tap, nats, reasons } = made;
      if (!tap || !nats || !reasons) throw new Error('the scene has made none of this');
      const stage: Stage = { scene, tap, nats, reasons };
      const hits = new Map<Failpoint, number>();
      await killedAt(stage, CREATING, 'journal.creating', hits);
      await using writer = new EventWriter(scene.kube.address);
      await writer.each(ordinaryEvents(scene.namespace, EVENTS), (event) => writer.create(event));
      for (let round = 0; round < (scene.quick ? 1 : 3); round += 1) await killedAtAll(stage, hits);
      await scene.written(300);
      const never = FAILPOINTS.filter((point) => !hits.has(point));
      if (never.length > 0) throw new Error(`nothing takes the daemon to ${never.join(', ')}`);
      for (const broker of BROKERS) scene.notes.set(broker, `${hits.size} points`);
    },
  };
}

async function killedAtAll(stage: Stage, hits: Map<Failpoint, number>): Promise<void> {
  const all = CIRCUMSTANCES.flatMap((circumstance) => circumstance.points.map((point) => ({ circumstance, point })));
  await stage.scene.kill();
  for (const { circumstance, point } of stage.scene.random.shuffled(all)) {
    await killedAt(stage, circumstance, point, hits);
  }
  await stage.scene.daemon.start();
}

/** Runs the daemon until it dies there; rejects when it never does. */
async function killedAt(stage: Stage, circumstance: Circumstance, point: Failpoint, hits: Map<Failpoint, number>) {
  const { times = 1, before, meanwhile, after } = circumstance;
  const { scene } = stage;
  await before?.(stage);
  const time = scene.random.between(1, times);
  await scene.daemon.spawn({ KUBE_FANOUT_FAILPOINT: `${point}:${time}` });
  const ended = scene.daemon.ended();
  await meanwhile?.(stage);
  const given = new AbortController();
  const limit = sleep(REACH_MS, 'late', { signal: given.signal }).catch(() => 'early');
  const how = await Promise.race([limit, ended]);
  given.abort();
  if (how === 'late') throw new Error(`the daemon never came to ${point} for the ${time}. time`);
  if (scene.daemon.exitCode !== null) throw new Error(`the daemon ended by itself before ${point}`);
  scene.kills += 1;
  hits.set(point, (hits.get(point) ?? 0) + 1);
  await after?.(stage);
}

/** What it has not read yet, it can have only by a list. */
async function compacted({ scene }: Stage): Promise<void> {
  await scene.written(100);
  await compact(scene.kube.address);
}

export const FAILPOINT_KILLS: readonly Fault[] = [killedAtEach()];
