import type { Logger } from 'pino';
import type { Adapter, Capabilities } from '../adapter.ts';
import type { Clock } from '../clock.ts';
import { type Cursor, compareCursors, END, ORIGIN, type StreamName } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import type { Journal } from '../journal/port.ts';
import type { ReplayAnswer, ReplayFrom } from '../journal/record.ts';
import type { Route } from '../routing/route.ts';
import { Bell } from './bell.ts';
import { Connection } from './connection.ts';
import type { Entry } from './entry.ts';
import type { Deadlines } from './guard.ts';
import { Ledger } from './ledger.ts';
import { ParkedLoader } from './parked-loader.ts';
import { Patience } from './patience.ts';
import { Replays } from './replays.ts';
import { laneStatus, type RouteStatus } from './route-status.ts';
import type { WindowLimit } from './window.ts';

export type { RouteStatus } from './route-status.ts';

/** What a crash can repeat, per route. */
const WINDOW: WindowLimit = { records: 2048, bytes: 8 * 1024 * 1024 };

/** What a route needs of the journal. */
export type RouteJournal = Pick<
  Journal,
  | 'streams'
  | 'read'
  | 'onAdvance'
  | 'openRoute'
  | 'settle'
  | 'parked'
  | 'parkedLanes'
  | 'revived'
  | 'onRevived'
  | 'onQuota'
  | 'expire'
  | 'replay'
>;

export interface RouteWorkerOptions {
  readonly route: Route;
  readonly capabilities: Capabilities;
  /** A new, unconnected adapter for each attempt to connect. */
  readonly create: () => Promise<Adapter>;
  readonly journal: RouteJournal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly deadlines?: Deadlines;
  readonly window?: WindowLimit;
}

/**
 * One route: reads the journal behind its cursor, publishes, and commits what became of each record.
 *
 * Three loops share a ledger and wait for one bell. `fill` reads as long as the window has room; it alone is woken by each
 * advance of the journal, and rings when it has found something to do, so that a route which wants nothing of it wakes only
 * that loop. `send` takes batches while the connection is up. `settle` commits the settled prefix and, because only it knows
 * that no commit is under way, loads parked messages and lets go of what a quota has expired: so this route's rows in the
 * journal are touched in one place, one thing after another.
 */
export class RouteWorker {
  readonly #options: RouteWorkerOptions;
  readonly #more = new Bell();
  readonly #bell = new Bell(this.#more);
  readonly #ledger: Ledger;
  readonly #parked: ParkedLoader;
  readonly #patience: Patience;
  readonly #connection: Connection;
  /** How far `fill` has read. */
  readonly #read = new Map<StreamName, Cursor>();
  /** The stream that `fill` has read last: the next one has its turn first, or a long one would starve the others. */
  #turn: StreamName | undefined;
  readonly #quotas: { readonly stream: StreamName; readonly upTo: Cursor }[] = [];
  #underWay = 0;
  readonly #replays = new Replays();
  #began = false;
  /** What a quota lets go of is not committed yet: if it came back after a crash, it must not have been overtaken. */
  #expiring = false;

  constructor(options: RouteWorkerOptions) {
    const { window = WINDOW, create, deadlines, log } = options;
    this.#options = options;
    this.#ledger = new Ledger({ ...options, window, bell: this.#bell });
    this.#parked = new ParkedLoader({ ...options, window, ledger: this.#ledger, bell: this.#bell });
    this.#patience = new Patience({ ...options, bell: this.#bell });
    this.#connection = new Connection({ create, bell: this.#bell, log, ...(deadlines && { deadlines }) });
  }

  get status(): RouteStatus {
    return {
      connection: this.#connection.state,
      stopped: this.#ledger.stopped,
      parked: [...this.#ledger.lanes].map((lane) => laneStatus(lane, this.#options.clock)),
      backingOff: this.#ledger.backingOff,
      unsettled: this.#ledger.window.records,
      underWay: this.#underWay,
    };
  }

  /** Settles when it has begun: what the broker has not answered for yet comes first. Rejects when the route ends. */
  replay(from: ReplayFrom): Promise<ReplayAnswer> {
    const { route, journal } = this.#options;
    if (!this.#began) return journal.replay(route.name, from);
    this.#bell.ring();
    return this.#replays.ask(from);
  }

  /**
   * Runs until `stop`; what is under way then may still be acknowledged and is committed, until `kill`. Neither loses
   * anything. Rejects only when the journal does.
   */
  async run(stop: AbortSignal, kill: AbortSignal): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#bell);
    stack.use(this.#ledger);
    stack.defer(() => this.#replays.end(new Error('the route has ended: ask again when the daemon runs')));
    this.#began = true;
    await this.#open(stack);
    const failed = new AbortController();
    const stopped = AbortSignal.any([stop, kill, failed.signal]);
    const killed = AbortSignal.any([kill, failed.signal]);
    stopped.addEventListener('abort', () => this.#bell.ring(), { once: true });
    const ended = new AbortController();
    const connection = this.#connection.keep(ended.signal);
    stack.defer(async () => {
      ended.abort();
      await connection;
    });
    const loops = [this.#fill(stopped), this.#send(stopped, killed), this.#settle(stopped)];
    try {
      await Promise.all(loops);
      failpoint('route.ended');
    } catch (error) {
      failed.abort();
      this.#bell.ring();
      await Promise.allSettled(loops);
      throw error;
    }
  }

  async #open(stack: AsyncDisposableStack): Promise<void> {
    const { route, journal } = this.#options;
    const state = await journal.openRoute(route.name, { startFrom: route.startFrom, atQuota: route.atQuota });
    for (const [stream, replay] of state.replaying) this.#replays.begun(stream, replay);
    for (const [stream, cursor] of state.cursors) this.#read.set(stream, cursor);
    for (const lane of await journal.parkedLanes(route.name)) this.#ledger.lanes.reopen(lane);
    stack.defer(journal.onAdvance(() => this.#more.ring()));
    const onQuota = (stream: StreamName, upTo: Cursor) => {
      this.#quotas.push({ stream, upTo });
      this.#bell.ring();
    };
    stack.defer(journal.onQuota(route.name, onQuota));
    const onRevived = () => {
      this.#ledger.revived.told();
      this.#bell.ring();
    };
    stack.defer(journal.onRevived(route.name, onRevived));
    failpoint('route.opened');
  }

  async #fill(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const changed = this.#more.next();
      if (!this.#ledger.window.hasRoom) this.#ledger.relieve();
      if (this.#replays.waiting || !(await this.#readOn(stop))) await changed;
    }
  }

  /** A page of each stream, while there is room; false when there was nothing. */
  async #readOn(stop: AbortSignal): Promise<boolean> {
    const { journal } = this.#options;
    let found = false;
    const streams = await journal.streams();
    const next = streams.findIndex(({ stream }) => stream === this.#turn) + 1;
    for (const { stream } of [...streams.slice(next), ...streams.slice(0, next)]) {
      if (stop.aborted || !this.#ledger.window.hasRoom) break;
      const after = this.#read.get(stream) ?? ORIGIN;
      const records = await journal.read(stream, after, this.#ledger.window.page);
      failpoint('route.read');
      const movedOn = this.#read.get(stream) !== after && this.#read.has(stream);
      if (movedOn || records.length === 0) continue;
      let isNews = false;
      for (const record of records) isNews = this.#ledger.admit(record, this.#replays.numberOf(record)) || isNews;
      if (isNews) this.#bell.ring();
      const last = records.at(-1);
      if (last) this.#read.set(stream, { epoch: last.epoch, position: last.position });
      this.#turn = stream;
      found = true;
    }
    return found;
  }

  async #send(stop: AbortSignal, kill: AbortSignal): Promise<void> {
    while (!stop.aborted || this.#underWay > 0) {
      const changed = this.#bell.next();
      const pausing = this.#expiring || this.#replays.waiting;
      const up = !stop.aborted && !pausing && this.#connection.state.kind === 'up';
      const batch = up ? this.#ledger.nextBatch(this.#underWay) : [];
      if (batch.length === 0) {
        await changed;
        continue;
      }
      this.#underWay += 1;
      void this.#publish(batch, kill);
    }
  }

  async #publish(batch: readonly Entry[], kill: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { generation } = this.#connection;
    const began = clock.steady();
    failpoint('route.publishing');
    const messages = batch.map((entry) => entry.message);
    const outcomes = await this.#connection.publish(messages, kill).catch(() => undefined);
    failpoint('route.acknowledged');
    this.#underWay -= 1;
    // A connection that the kill has cut says nothing of the message on it.
    if (outcomes !== undefined || !kill.aborted) {
      this.#ledger.landed(batch, outcomes, { generation, tookMs: clock.steady() - began });
    }
    this.#bell.ring();
  }

  async #settle(stop: AbortSignal): Promise<void> {
    while (true) {
      const changed = this.#bell.next();
      const ready = this.#isPatient(stop) ? undefined : this.#ledger.settlement();
      if (ready) {
        failpoint('route.settling');
        this.#patience.committing();
        await this.#options.journal.settle(ready.settlement);
        failpoint('route.settled');
        ready.committed();
        this.#bell.ring();
      } else if (this.#quotas.length > 0) {
        await this.#expire();
      } else if (this.#replays.waiting && this.#underWay === 0) {
        await this.#replays.next((from) => this.#moveBack(from));
        this.#bell.ring();
      } else if (stop.aborted && this.#underWay === 0) {
        return;
      } else if (stop.aborted || !(await this.#loadParked())) {
        await changed;
      }
    }
  }

  /** Whether what could be committed may wait for more of it. */
  #isPatient(stop: AbortSignal): boolean {
    if (stop.aborted || this.#quotas.length > 0 || this.#replays.waiting) return false;
    const { pending } = this.#ledger;
    return pending !== undefined && this.#patience.has(pending);
  }

  async #loadParked(): Promise<boolean> {
    return this.#connection.state.kind === 'up' && (await this.#parked.load());
  }

  /** What is under way has landed, and is committed as far as it can be; the rest is read again behind the replay. */
  async #moveBack(from: ReplayFrom): Promise<ReplayAnswer> {
    const { route, journal, log } = this.#options;
    const answer = await journal.replay(route.name, from);
    if ('refused' in answer) return answer;
    for (const { stream, cursor, ...replay } of answer.streams) {
      this.#ledger.drop(stream, END);
      this.#read.set(stream, cursor);
      this.#replays.begun(stream, replay);
      log.info({ stream, replay: replay.number, records: replay.records }, 'records are read again, for a replay');
    }
    return answer;
  }

  async #expire(): Promise<void> {
    const { route, journal, log } = this.#options;
    const quota = this.#quotas.shift();
    if (quota === undefined) return;
    const { stream } = quota;
    this.#expiring = true;
    const upTo = this.#ledger.drop(stream, quota.upTo);
    // Before the journal has let go, or `fill` would read on in what is about to be deleted.
    if (compareCursors(this.#read.get(stream) ?? ORIGIN, upTo) < 0) this.#read.set(stream, upTo);
    const { expired } = await journal.expire(route.name, stream, upTo);
    this.#expiring = false;
    for (const lane of await journal.parkedLanes(route.name)) this.#ledger.lanes.reopen(lane);
    log.error(
      { expired, stream },
      'the journal is full: the oldest messages of this route have expired; a gap says so',
    );
    this.#bell.ring();
  }
}
