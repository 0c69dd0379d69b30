/**
 * The daemon: source → journal → one worker per route, wired and torn down.
 *
 * Everything is taken in the order of the data and released in reverse by one stack. The setup is one straight function,
 * because its order is its meaning: the journal before what writes it, the routes before the source, so that a new route
 * that starts now is there before the first Event.
 */

import type { Logger } from 'pino';
import type { ServedBroker } from './adapter.ts';
import type { Clock } from './clock.ts';
import type { BrokerConfig, Config } from './config/config.ts';
import type { Explain } from './control/operation.ts';
import { serveControl } from './control/server.ts';
import { type RouteStatus, RouteWorker } from './delivery/route-worker.ts';
import { envelopeOf } from './envelope/event.ts';
import { gapRecord } from './envelope/gap.ts';
import { ALL_NAMESPACES, type StreamName } from './envelope/position.ts';
import { failpoint } from './failpoint.ts';
import { openJournal } from './journal/open.ts';
import type { Journal } from './journal/port.ts';
import type { ReplayAnswer, ReplayFrom, RouteName } from './journal/record.ts';
import { metricsText, type Observed } from './observe/metrics.ts';
import { processMetrics } from './observe/process.ts';
import { serveMetrics } from './observe/server.ts';
import { compileRoute, type RouteConfig } from './routing/compile.ts';
import type { CompiledRoute } from './routing/route.ts';
import type { Cluster } from './source/cluster.ts';
import { Source, type StreamStatus } from './source/source.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
}

export interface Daemon {
  readonly journal: Journal;
  /** Brokers inside this daemon, by name. */
  readonly served: ReadonlyMap<string, ServedBroker<unknown>>;
  readonly routes: ReadonlyMap<RouteName, { readonly broker: string; readonly status: RouteStatus }>;
  readonly streams: readonly StreamStatus[];
  /**
   * Settles when everything has ended: after `stop`, as soon as what is under way is acknowledged and committed, at the
   * latest at `kill`; rejects when the journal fails, for then nothing can be promised any more.
   */
  readonly ended: Promise<void>;
}

/** Rejects when the journal or a port cannot be opened. An API server or a broker that is away stops nothing. */
export async function startDaemon(options: DaemonOptions, stop: AbortSignal, kill: AbortSignal): Promise<Daemon> {
  const { config, log } = options;
  await using stack = new AsyncDisposableStack();
  const journal = stack.use(await openJournal({ ...config.journal, cluster: config.cluster, log }, stop));
  const served = new Map<string, ServedBroker<unknown>>();
  for (const [name, { type, options: broker }] of config.brokers) {
    const inside = await type.serve?.(broker, log.child({ broker: name }));
    if (inside) served.set(name, stack.use(inside));
  }
  const routes = new Map(
    config.routes.map((route) => [route.name, routeOf(route, { options, journal, served })] as const),
  );
  failpoint('daemon.routes-made');
  const source = new Source(sourceOptions(options, journal));

  const explain: Explain = (name, record) => routes.get(name)?.compiled.explain(record, options.clock.wall());
  const inspected = { journal, running: { routes, streams: source.status }, explain };
  stack.use(await serveControl({ path: config.journal.path, inspected, log }));
  if (config.metrics) {
    const ofProcess = processMetrics();
    const all = async () => (await metricsText(await observed(journal, routes, source))) + (await ofProcess());
    stack.use(await serveMetrics(config.metrics, all));
  }

  // A failure of one part ends the others: what cannot be committed must not be read on.
  const failed = new AbortController();
  const stopping = AbortSignal.any([stop, failed.signal]);
  stopping.addEventListener('abort', () => failpoint('daemon.stopping'), { once: true });
  const killing = AbortSignal.any([kill, failed.signal]);
  const fail = (error: unknown) => {
    failed.abort(error);
    throw error;
  };
  const parts = [...[...routes.values()].map((route) => route.run(stopping, killing)), source.run(stopping)];
  const owned = stack.move();
  const ended = Promise.allSettled(parts.map((part) => part.catch(fail))).then(async (results) => {
    await owned.disposeAsync();
    const broken = results.find((result) => result.status === 'rejected');
    if (broken) throw broken.reason;
  });
  ended.catch(() => {});
  return {
    journal,
    served,
    routes,
    streams: source.status,
    ended,
  };
}

interface RunningRoute {
  readonly broker: string;
  readonly compiled: CompiledRoute;
  readonly status: RouteStatus;
  replay(from: ReplayFrom): Promise<ReplayAnswer>;
  run(stop: AbortSignal, kill: AbortSignal): Promise<void>;
}

interface Wiring {
  readonly options: DaemonOptions;
  readonly journal: Journal;
  readonly served: ReadonlyMap<string, ServedBroker<unknown>>;
}

function routeOf(config: RouteConfig, { options, journal, served }: Wiring): RunningRoute {
  const { type, options: own } = brokerOf(options.config, config.broker);
  const log = options.log.child({ route: config.name, broker: config.broker });
  const inside = served.get(config.broker);
  const context = { clientId: `kube-fanout-${options.config.cluster}-${config.name}`, log };
  const route = compileRoute(config, type);
  const worker = new RouteWorker({
    route,
    capabilities: type.capabilities,
    create: () => type.create(inside?.options ?? own, config.options, context),
    journal,
    log,
    clock: options.clock,
  });
  return {
    broker: config.broker,
    compiled: route,
    get status() {
      return worker.status;
    },
    replay: (from) => worker.replay(from),
    async run(stop, kill) {
      // The journal keeps what a route has not had yet, so it must know of one that still waits for its first subscriber.
      const { startFrom, atQuota } = route;
      if (inside) await journal.openRoute(route.name, { startFrom, atQuota });
      await inside?.ready(stop);
      await worker.run(stop, kill);
    },
  };
}

async function observed(
  journal: Journal,
  running: ReadonlyMap<RouteName, RunningRoute>,
  source: Source,
): Promise<Observed> {
  const routes = (await journal.routes()).flatMap((state) => {
    const status = running.get(state.route)?.status;
    return status
      ? { ...state, up: status.connection.kind === 'up', parked: status.parked.map(({ verdict }) => verdict.reason) }
      : [];
  });
  const streams = source.status.map(({ stream, up, counters, lastAudit }) => {
    return {
      stream,
      up,
      records: counters.appended,
      skipped: counters.skipped,
      damaged: counters.damaged,
      gaps: counters.gaps,
      audits: counters.audits,
      found: counters.found,
      lastAudit: lastAudit && lastAudit.endedAt / 1000,
    };
  });
  return { routes, streams, journal: await journal.stats(), now: Date.now() };
}

function brokerOf(config: Config, name: string): BrokerConfig {
  const broker = config.brokers.get(name);
  if (broker === undefined) throw new Error(`there is no broker ${name} in the config`);
  return broker;
}

function sourceOptions({ config, cluster, log, clock, version }: DaemonOptions, journal: Journal) {
  const { namespaces, fieldSelector, startFrom } = config.source;
  return {
    cluster,
    journal,
    streams: namespaces.length === 0 ? [ALL_NAMESPACES] : namespaces.map((name) => name as StreamName),
    fieldSelector,
    startFrom,
    log: log.child({ part: 'source' }),
    userAgent: `kube-fanout/${version}`,
    envelope: (object: unknown, origin: 'live' | 'backfill') =>
      envelopeOf(object, { cluster: config.cluster, origin, now: new Date(clock.wall()) }),
    gap: (gap: Omit<Parameters<typeof gapRecord>[0], 'cluster' | 'now'>) =>
      gapRecord({ ...gap, cluster: config.cluster, now: new Date(clock.wall()) }),
  };
}
