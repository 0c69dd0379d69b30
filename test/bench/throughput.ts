/** Events a second from the API server to each broker's acknowledgement, beside the broker's own client. */
import { atLeast, type Bench, EVENTS, inTurns, type Measured, type Options } from './bench.ts';
import { type Broker, type BrokerName, startBroker } from './brokers.ts';
import { Peer } from './peer.ts';
import type { RawCalls, RawReport } from './raw-process.ts';
import { ratioOf, spreadOf } from './spread.ts';
import { openStage, type Stage } from './stage.ts';
import { cpuMicros, memory } from './usage.ts';

const RAW = new URL('./raw-process.ts', import.meta.url);

/** Of one round: some seconds of each. */
const COUNTS: Readonly<Record<BrokerName, number>> = { kafka: 80_000, mqtt: 50_000, nats: 60_000, pubsub: 15_000 };
const GOAL = 0.8;
const KAFKA_GOAL = 12_000;

export interface Turn {
  readonly perSecond: number;
  readonly cpuMicrosPerEvent: number;
  readonly rssMiB: number;
}

/** A daemon and the broker's own clients, on one broker; each warm. */
export class Match implements AsyncDisposable {
  readonly #scope: AsyncDisposableStack;
  readonly #stage: Stage;
  readonly #raws: ReadonlyMap<string, Peer<RawCalls>>;

  private constructor(scope: AsyncDisposableStack, stage: Stage, raws: ReadonlyMap<string, Peer<RawCalls>>) {
    this.#scope = scope;
    this.#stage = stage;
    this.#raws = raws;
  }

  static async begin(broker: Broker): Promise<Match> {
    await using scope = new AsyncDisposableStack();
    const stage = scope.use(await openStage({ brokers: [broker] }));
    const raws = new Map<string, Peer<RawCalls>>();
    for (const raw of broker.raw) {
      const peer = scope.use(await Peer.start<RawCalls>(RAW));
      const { destination } = await broker.place();
      await peer.call('open', { ...raw, destination, ...EVENTS });
      raws.set(raw.client, peer);
    }
    return new Match(scope.move(), stage, raws);
  }

  get clients(): readonly string[] {
    return [...this.#raws.keys()];
  }

  /** The load comes as fast as it can, or at a constant rate. */
  async ours(count: number, perSecond?: number): Promise<Turn> {
    const { daemon } = this.#stage;
    const [began, used] = [performance.now(), await cpuMicros(daemon.pid)];
    await this.#stage.emit(count, perSecond);
    await this.#stage.settled();
    const seconds = (performance.now() - began) / 1_000;
    const cpuMicrosPerEvent = ((await cpuMicros(daemon.pid)) - used) / count;
    return { perSecond: count / seconds, cpuMicrosPerEvent, rssMiB: (await memory(daemon.pid)).rssMiB };
  }

  async theirs(client: string, count: number, perSecond?: number): Promise<Turn> {
    const peer = this.#raws.get(client);
    if (peer === undefined) throw new Error(`there is no client ${client}`);
    const report: RawReport = await peer.call('publish', { count, ...(perSecond && { perSecond }) });
    const { rssMiB } = await memory(peer.pid);
    return { perSecond: count / report.seconds, cpuMicrosPerEvent: report.cpuMicros / count, rssMiB };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync();
  }
}

async function ofBroker(name: BrokerName, { quick, say }: Options): Promise<readonly Measured[]> {
  await using broker = await startBroker(name);
  await using match = await Match.begin(broker);
  const count = quick ? COUNTS[name] / 2 : COUNTS[name];
  const contenders: Record<string, () => Promise<Turn>> = {
    ours: () => match.ours(count),
    ...Object.fromEntries(match.clients.map((client) => [client, () => match.theirs(client, count)])),
  };
  await inTurns(1, contenders);
  const { ours = [], ...raws } = await inTurns(quick ? 2 : 5, contenders);
  const measured = Object.entries(raws).flatMap(([client, theirs], at): Measured[] => {
    const line = (what: string, unit: string, of: (turn: Turn) => number): Measured => {
      const [mine, others] = [ours.map(of), theirs.map(of)];
      const beside = { name: client, theirs: spreadOf(others), ratio: ratioOf(mine, others) };
      return { bench: 'throughput', what, unit, ours: spreadOf(mine), beside };
    };
    const speed = line(name, 'Events/s', ({ perSecond }) => perSecond);
    const cpu = line(`${name}, CPU at full speed`, 'us an Event', ({ cpuMicrosPerEvent }) => cpuMicrosPerEvent);
    const size = line(`${name}, memory at full speed`, 'MiB', ({ rssMiB }) => rssMiB);
    const ratio = speed.beside?.ratio.median ?? Number.NaN;
    const text = `${GOAL} of the client${name === 'kafka' ? `, and ${KAFKA_GOAL}/s` : ''}`;
    const isFast = name !== 'kafka' || speed.ours.median >= KAFKA_GOAL;
    return [at > 0 ? speed : { ...speed, goal: { text, reached: ratio >= GOAL && isFast } }, cpu, size];
  });
  for (const { what, ours: own, beside } of measured) {
    say(`${what}: ${Math.round(own.median)}, ${beside?.name} ${Math.round(beside?.theirs.median ?? 0)}`);
  }
  return measured;
}

/** What the daemon does without any broker's client: all but the publishing, and then into a pipe to nowhere. */
async function withoutBroker({ quick, say }: Options): Promise<readonly Measured[]> {
  const routes = {
    'no broker, all filtered': { when: 'event.reason == "never"' },
    'no broker, to standard output': {},
  };
  const found: Measured[] = [];
  for (const [what, route] of Object.entries(routes)) {
    await using stage = await openStage({ route });
    const count = quick ? 50_000 : 100_000;
    const rates: number[] = [];
    for (let round = 0; round < (quick ? 3 : 6); round++) {
      const began = performance.now();
      await stage.emit(count);
      await stage.settled();
      rates.push((count * 1_000) / (performance.now() - began));
    }
    const ours = spreadOf(rates.slice(1));
    say(`${what}: ${Math.round(ours.median)}`);
    const goal = atLeast(ours.median, 25_000, '25,000/s');
    found.push({ bench: 'throughput', what, unit: 'Events/s', ours, goal });
  }
  return found;
}

export const throughput: Bench = {
  name: 'throughput',
  sentence: 'Events a second to each broker, beside its own client, and without a broker',
  async run(options) {
    const found: Measured[] = [];
    for (const name of options.brokers) found.push(...(await ofBroker(name, options)));
    return [...found, ...(await withoutBroker(options))];
  },
};
