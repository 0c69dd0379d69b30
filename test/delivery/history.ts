import type { Scheduler } from 'fast-check';
import { expect, vi } from 'vitest';
import type { StreamName } from '../../src/envelope/position.ts';
import type { JournalRecord, ReplayFrom, RouteName } from '../../src/journal/record.ts';
import { Account, type Fate } from './account.ts';
import { DaemonLife, type Surroundings } from './daemon-life.ts';
import type { Store } from './model-store.ts';
import { recordAt } from './naive-journal.ts';

export const STREAMS = ['web', 'db'] as readonly string[] as readonly StreamName[];
export const ROUTES = ['some', 'everything'] as readonly string[] as readonly RouteName[];

export interface Letter {
  readonly key: string;
  readonly fate: Fate;
}

export type HistoryOptions = Pick<Surroundings, 'ordered' | 'window'>;

/**
 * A daemon over a journal, with two routes, two brokers, and a schedule that decides what happens next. All of it is the
 * real delivery; the journal, the brokers and the time are the test's.
 */
export class History {
  readonly accounts: ReadonlyMap<RouteName, Account>;
  readonly letters = new Map<string, JournalRecord>();
  readonly #store: Store;
  readonly #scheduler: Scheduler;
  readonly #options: HistoryOptions;
  readonly #epochs = new Map<StreamName, number>();
  #life: DaemonLife;
  readonly #rvs = new Map<StreamName, number>();
  #disk = Promise.withResolvers<void>();
  #waiting: JournalRecord[][] = [];

  constructor(store: Store, scheduler: Scheduler, options: HistoryOptions) {
    this.#store = store;
    this.#scheduler = scheduler;
    this.#options = options;
    this.accounts = new Map(ROUTES.map((route) => [route, new Account(route, this.letters)]));
    this.#disk.resolve();
    this.#life = this.#begin();
  }

  #begin(): DaemonLife {
    const life = new DaemonLife({
      store: this.#store,
      ...this.#options,
      room: () => this.#disk.promise,
      schedule: (label) => this.#scheduler.schedule(Promise.resolve(), label),
      onCommitted: (settlement) => this.#account(settlement.route).committed(settlement),
      onExpiring: (route, stream, upTo) => this.#account(route).excuse(stream, upTo),
      onReplayed: (route, streams) => this.#account(route).replayed(streams),
      onOpened: (route, cursors) => this.#account(route).opened(cursors),
    });
    for (const account of this.accounts.values()) {
      account.started = false;
      if (account.wanted) life.start(account.broker, 'oldest');
    }
    return life;
  }

  /** The next thing happens; false when there is nothing but time to wait for. */
  async step(): Promise<boolean> {
    if (this.#scheduler.count() === 0) return false;
    await this.#scheduler.waitOne();
    await this.#calm();
    return true;
  }

  async wait(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
    await this.#calm();
  }

  async #calm(): Promise<void> {
    do await new Promise(setImmediate);
    while (this.#life.busy > 0);
    if (this.#life.failures.length > 0) throw this.#life.failures[0];
  }

  async append(stream: StreamName, letters: readonly Letter[]): Promise<void> {
    const epoch = this.#epochs.get(stream) ?? 1;
    this.#epochs.set(stream, epoch);
    const records = letters.map(({ key, fate }): JournalRecord => {
      const rv = (this.#rvs.get(stream) ?? 90) + 1;
      this.#rvs.set(stream, rv);
      const record = recordAt(rv, `${stream}/${key}`, fate);
      const id = `${stream}.${epoch}.${rv}`;
      return { ...record, stream, epoch, attributes: { ...record.attributes, id } };
    });
    if (records.length === 0) return;
    this.#waiting.push(records);
    await this.#appendWaiting();
  }

  async #appendWaiting(): Promise<void> {
    if (this.#isFull) return;
    for (const records of this.#waiting.splice(0)) {
      for (const record of records) this.letters.set(record.attributes.id, record);
      await this.#store.append(records);
    }
    await this.#calm();
  }

  /** The cluster comes back from a backup: another history, with resourceVersions that have been there before. */
  restore(stream: StreamName, back: number): void {
    if (this.#isFull) return;
    this.#epochs.set(stream, (this.#epochs.get(stream) ?? 1) + 1);
    this.#rvs.set(stream, Math.max(90, (this.#rvs.get(stream) ?? 90) - back));
  }

  #isFull = false;
  async setDisk(full: boolean): Promise<void> {
    if (full === this.#isFull) return;
    this.#isFull = full;
    if (full) this.#disk = Promise.withResolvers();
    else this.#disk.resolve();
    await this.#appendWaiting();
  }

  async retain(): Promise<void> {
    await this.#store.retain();
  }

  full(route: RouteName, stream: StreamName, share: number): void {
    const records = [...this.letters.values()].filter((record) => record.stream === stream);
    const last = records[Math.floor((records.length * share) / 100)];
    if (last === undefined) return;
    this.#account(route).full();
    this.#life.full(route, stream, { epoch: last.epoch, position: last.position });
  }

  /** From the oldest on, or from somewhere among the records of all streams. */
  replay(route: RouteName, share: number | undefined): void {
    const records = [...this.letters.values()];
    const at = share === undefined ? undefined : records[Math.floor((records.length * share) / 100)];
    const from: ReplayFrom = at ? { kind: 'position', positions: [at.position] } : { kind: 'oldest' };
    // Its answer may not come, for the daemon may die.
    this.#life.routes
      .get(route)
      ?.worker.replay(from)
      .catch(() => {});
  }

  async revive(route: RouteName, each: number): Promise<void> {
    if (this.#isFull || !this.#account(route).started) return;
    const revival = await this.#store.revive(route, each);
    if (revival) this.#account(route).revived(revival);
    await this.#calm();
  }

  async dropDead(route: RouteName, each: number): Promise<void> {
    if (this.#isFull || !this.#account(route).started) return;
    this.#account(route).dropped(await this.#store.drop(route, each));
  }

  async crash(): Promise<void> {
    for (const account of this.accounts.values()) account.expectWithin(this.#options.window);
    this.#life.crash();
    vi.clearAllTimers();
    for (const { broker } of this.accounts.values()) {
      for (const connection of [...broker.connections]) connection.break('the process is gone');
    }
    await this.#store.reopen();
    this.#life = this.#begin();
    await this.#calm();
  }

  /** SIGTERM; and the kill after so many steps, if it has not ended by then. */
  async stop(patience: number): Promise<void> {
    await this.setDisk(false);
    const routes = [...this.#life.routes.values()];
    for (const { stop } of routes) stop.abort();
    for (let step = 0; step < patience && this.#life.routes.size > 0; step += 1) await this.#go();
    if (this.#life.routes.size === 0) for (const account of this.accounts.values()) account.expectReceipts();
    for (const { kill } of routes) kill.abort();
    await this.#end();
    this.#life = this.#begin();
  }

  async remove(route: RouteName, kill: boolean): Promise<void> {
    const account = this.#account(route);
    const running = this.#life.routes.get(route);
    if (!account.wanted || !account.started || running === undefined) return;
    await this.setDisk(false);
    account.wanted = false;
    running.stop.abort();
    if (kill) running.kill.abort();
    for (let step = 0; this.#life.routes.has(route); step += 1) {
      if (step > 5_000) throw new Error(`the route ${route} does not end`);
      await this.#go();
    }
    account.started = false;
    await this.#store.journal.closeRoute(route);
  }

  async add(route: RouteName): Promise<void> {
    const account = this.#account(route);
    if (account.wanted) return;
    account.wanted = true;
    this.#life.start(account.broker, 'oldest');
    await this.#calm();
  }

  async #go(): Promise<void> {
    if (await this.step()) return;
    await vi.advanceTimersToNextTimerAsync();
    await this.#calm();
  }

  /** Nothing may be left behind: no route, no call without an answer, no timer, no connection. */
  async #end(): Promise<void> {
    for (let step = 0; this.#life.routes.size > 0; step += 1) {
      if (step > 5_000) throw new Error('it does not end after a kill');
      await this.#go();
    }
    while (await this.step());
    await this.wait(600);
    while (await this.step());
    expect(this.#life.unheard, 'calls without an answer').toBe(0);
    for (const { broker } of this.accounts.values()) expect(broker.connections.size, 'open connections').toBe(0);
  }

  /** The world is well again: everything must come to its end. */
  async heal(): Promise<void> {
    await this.setDisk(false);
    for (const [route, { broker }] of this.accounts) {
      broker.heal();
      await this.add(route);
    }
    for (let round = 0; !(await this.isDone()); round += 1) {
      if (round > 3_000) throw new Error(`it does not come to rest: ${await this.#report()}`);
      // What a broker refuses is believed to be at fault only while others pass.
      if (round % 20 === 19) await this.append(WEB, NEWS);
      for (let step = 0; step < 100; step += 1) if (!(await this.step())) break;
      await this.wait(1_000);
    }
  }

  async isDone(): Promise<boolean> {
    for (const [route, { started }] of this.accounts) {
      if (!started) return false;
      const { lag, pending } = await this.#store.state(route);
      if (lag > 0 || pending > 0) return false;
    }
    return true;
  }

  async #report(): Promise<string> {
    const states = await Promise.all([...this.accounts.keys()].map((route) => this.#store.state(route)));
    const workers = [...this.#life.routes.values()].map(({ worker }) => worker.status);
    return JSON.stringify({ states, workers });
  }

  async finish(): Promise<void> {
    for (const [route, account] of this.accounts) {
      account.judge(await this.#store.state(route), await this.#store.dead(route));
    }
    await this.stop(2_000);
    // Stop began another life, which has to end as well.
    for (const { kill } of this.#life.routes.values()) kill.abort();
    await this.#end();
  }

  #account(route: RouteName): Account {
    const account = this.accounts.get(route);
    if (account === undefined) throw new Error(`no route ${route}`);
    return account;
  }
}

const WEB = 'web' as StreamName;
const NEWS: readonly Letter[] = Array.from({ length: 12 }, (_, i) => ({ key: `news ${i}`, fate: i % 2 ? 'x' : 'y' }));
