/** The load, one daemon and the brokers that it publishes to: each a process of its own. */
import { handOver } from '../backends/source.ts';
import { EVENTS } from './bench.ts';
import type { Broker } from './brokers.ts';
import { Daemon, type DaemonSpec } from './daemon.ts';
import type { LoadCalls } from './load-process.ts';
import { Peer } from './peer.ts';

export const LOAD = new URL('./load-process.ts', import.meta.url);

/** More than anything here can take: the load comes as fast as it can. */
const FLOOD = 100_000;

export interface StageSpec extends Pick<DaemonSpec, 'journal' | 'flags' | 'startFrom'> {
  /** A route to each of them; standard output without any. */
  readonly brokers?: readonly Broker[];
  /** What is said of each route but where it goes to. */
  readonly route?: object;
  readonly bytes?: number;
  /** Routes behind these, which take none of it. */
  readonly more?: readonly { readonly name: string }[];
  /** What the API server has before the daemon starts. */
  readonly before?: (load: Peer<LoadCalls>) => Promise<void>;
}

export interface Stage extends AsyncDisposable {
  readonly load: Peer<LoadCalls>;
  readonly daemon: Daemon;
  /** Writes so many Events; settles when they are written. */
  emit(count: number, perSecond?: number): Promise<void>;
  /** Settles when every route has done with all that was written. */
  settled(): Promise<void>;
}

export async function openStage(of: StageSpec): Promise<Stage> {
  const { brokers = [], route, bytes = EVENTS.bytes, more = [], before, ...spec } = of;
  await using scope = new AsyncDisposableStack();
  const load = scope.use(await Peer.start<LoadCalls>(LOAD));
  await before?.(load);
  const places = await Promise.all(
    brokers.map(async (broker, at) => ({
      name: `${broker.name}-${at}`,
      config: broker.config,
      ...(await broker.place()),
    })),
  );
  const start = of.startFrom && { startFrom: of.startFrom };
  const all = places.length > 0 ? places : [{ name: 'stdout-0', config: { stdout: {} }, to: {} }];
  const daemon = scope.use(
    await Daemon.start({
      ...spec,
      server: await load.call('address', undefined),
      brokers: Object.fromEntries(all.map(({ name, config }) => [name, config])),
      routes: [...all.map(({ name, to }) => ({ name, ...start, ...route, to: { broker: name, ...to } })), ...more],
    }),
  );
  const routes = [...all, ...more].map(({ name }) => name);
  let sent = 0;
  const stage: Omit<Stage, typeof Symbol.asyncDispose> = {
    ...{ load, daemon },
    async emit(count: number, perSecond = FLOOD) {
      await load.call('load', { ...EVENTS, bytes, rate: perSecond, forSeconds: count / perSecond });
      sent += count;
    },
    async settled() {
      await daemon.until(routes, sent);
    },
  };
  return handOver(scope, stage);
}
