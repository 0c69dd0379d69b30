import pino from 'pino';
import type { Capabilities } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { type RouteJournal, RouteWorker } from '../../src/delivery/route-worker.ts';
import type { Cursor, StreamName } from '../../src/envelope/position.ts';
import type { JournalRecord, ReplayedStream, RouteName, Settlement } from '../../src/journal/record.ts';
import type { Decision, Route } from '../../src/routing/route.ts';
import { type ModelBroker, ModelConnection, type Moment } from './model-broker.ts';
import type { Store } from './model-store.ts';

/** What is the same in all lives of a daemon, and hears of what is committed. */
export interface Surroundings {
  readonly store: Store;
  readonly ordered: boolean;
  /** Records that a route has in hand, at most. */
  readonly window: number;
  /** While the disk is full, commits wait. */
  readonly room: () => Promise<void>;
  readonly schedule: (label: string) => Promise<void>;
  readonly onCommitted: (settlement: Settlement) => void;
  readonly onExpiring: (route: RouteName, stream: StreamName, upTo: Cursor) => void;
  readonly onReplayed: (route: RouteName, streams: readonly ReplayedStream[]) => void;
  readonly onOpened: (route: RouteName, cursors: ReadonlyMap<StreamName, Cursor>) => void;
}

interface Running {
  readonly worker: RouteWorker;
  readonly stop: AbortController;
  readonly kill: AbortController;
  readonly ended: Promise<void>;
}

/**
 * One life of a daemon: its routes, from a start to an end or a crash. Whatever they ask of the journal or a broker
 * happens when a schedule says so, and is heard of when it says so; behind a crash nothing is.
 */
export class DaemonLife {
  readonly #around: Surroundings;
  readonly routes = new Map<RouteName, Running>();
  readonly #quotas = new Map<RouteName, (stream: StreamName, upTo: Cursor) => void>();
  #dead = false;
  /** Calls of the journal that it has begun and not ended. */
  busy = 0;
  /** Calls that routes have made and not heard of. */
  unheard = 0;
  hasExpired = false;
  readonly failures: unknown[] = [];

  constructor(around: Surroundings) {
    this.#around = around;
  }

  crash(): void {
    this.#dead = true;
  }

  start(broker: ModelBroker, startFrom: 'now' | 'oldest'): void {
    const { route: name } = broker;
    const [stop, kill] = [new AbortController(), new AbortController()];
    const worker = new RouteWorker({
      route: routeOf(name, startFrom),
      capabilities: capabilities(this.#around.ordered),
      create: async () => new ModelConnection(broker, this.#moment),
      journal: this.#journalOf(),
      log: pino({ level: 'silent' }),
      clock: systemClock,
      deadlines: { connectMs: 1_000, publishMs: 3_000, closeMs: 500 },
      window: { records: this.#around.window, bytes: 1_000_000 },
    });
    const ended = worker.run(stop.signal, kill.signal);
    ended.then(
      () => this.routes.delete(name),
      (error) => this.failures.push(error),
    );
    this.routes.set(name, { worker, stop, kill, ended });
  }

  /** The journal is full, and asks the route to let go. */
  full(route: RouteName, stream: StreamName, upTo: Cursor): void {
    this.#quotas.get(route)?.(stream, upTo);
  }

  readonly #moment: Moment = async (label) => {
    await this.#around.schedule(label);
    if (this.#dead) await new Promise(() => {});
  };

  async #call<T>(label: string, call: () => Promise<T>): Promise<T> {
    this.unheard += 1;
    await this.#moment(`${label} asked`);
    this.busy += 1;
    const result = await call().finally(() => {
      this.busy -= 1;
    });
    await this.#moment(`${label} answered`);
    this.unheard -= 1;
    return result;
  }

  /** A change waits for room on the disk before anything of it happens. */
  #change<T>(label: string, change: () => Promise<T>): Promise<T> {
    return this.#call(label, async () => {
      this.busy -= 1;
      await this.#around.room();
      if (this.#dead) await new Promise(() => {});
      this.busy += 1;
      return change();
    });
  }

  #journalOf(): RouteJournal {
    const { store, onCommitted, onExpiring, onOpened, onReplayed } = this.#around;
    const { journal } = store;
    return {
      streams: () => journal.streams(),
      read: (...asked) => this.#call('read', () => journal.read(...asked)),
      parked: (...asked) => this.#call('parked', () => journal.parked(...asked)),
      revived: (...asked) => this.#call('revived', () => journal.revived(...asked)),
      onRevived: (route, listener) => journal.onRevived(route, () => void this.#moment('revived').then(listener)),
      parkedLanes: (...asked) => this.#call('lanes', () => journal.parkedLanes(...asked)),
      openRoute: (route, options) =>
        this.#change('open', async () => {
          const state = await journal.openRoute(route, options);
          onOpened(route, state.cursors);
          return state;
        }),
      settle: (settlement) =>
        this.#change('settle', async () => {
          await journal.settle(settlement);
          onCommitted(settlement);
        }),
      expire: (route, stream, upTo) =>
        this.#change('expire', async () => {
          this.hasExpired = true;
          onExpiring(route, stream, upTo);
          return journal.expire(route, stream, upTo, () => this.#between());
        }),
      replay: (route, from) =>
        this.#change('replay', async () => {
          const answer = await journal.replay(route, from);
          if ('streams' in answer) onReplayed(route, answer.streams);
          return answer;
        }),
      onAdvance: (listener) => journal.onAdvance(() => void this.#moment('advance').then(listener)),
      onQuota: (route, listener) => {
        this.#quotas.set(route, listener);
        return () => this.#quotas.delete(route);
      },
    };
  }

  async #between(): Promise<void> {
    this.busy -= 1;
    await this.#moment('between two commits');
    this.busy += 1;
  }
}

/** `everything` has one destination, and stops where the other parks. */
function routeOf(name: RouteName, startFrom: 'now' | 'oldest'): Route {
  const everything = name.startsWith('everything');
  const decide = ({ kind, key, attributes: { reason } }: JournalRecord): Decision => {
    if (kind === 'gap') return { kind: 'publish', destination: 'x', key };
    if (reason === 'filtered') return { kind: 'filtered' };
    if (reason === 'aged') return { kind: 'expired' };
    if (reason === 'unroutable') return { kind: 'reject', reason: 'invalid-destination', detail: '' };
    return { kind: 'publish', destination: reason === 'y' && !everything ? 'y' : 'x', key };
  };
  const constantDestination = everything ? 'x' : undefined;
  return { name, broker: 'b', startFrom, atQuota: 'expire', constantDestination, decide };
}

function capabilities(orderedBatches: boolean): Capabilities {
  return {
    orderedBatches,
    batchSize: 4,
    parallelism: 2,
    knowsDestinations: true,
    stores: true,
    deduplicates: false,
    mode: 'binary',
  };
}
