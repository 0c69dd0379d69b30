import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteEvents } from '../backends/etcd.ts';
import { type KubeBackend, startKube } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { freePort, type Program } from '../backends/process.ts';
import { type Truth, type TruthRevision, watchTruth } from '../backends/truth.ts';
import { type DaemonSpec, startDaemonProcess, watching, writeConfig } from '../main-job/daemon-process.ts';
import { type Gap, gapsIn } from '../main-job/gaps.ts';
import type { Seen } from '../main-job/seen.ts';
import type { Subscriber } from '../main-job/subscribers.ts';
import { type Broker, type BrokerName, START } from './brokers.ts';
import { classify } from './classes.ts';
import type { Fault, Front } from './fault.ts';
import type { History, RouteHistory } from './history.ts';
import { SteadyLoad } from './load.ts';
import type { Random } from './random.ts';
import { Scraper } from './scrape.ts';
import { readStopped, UNREAD } from './stopped-journal.ts';
import { Volume } from './volume.ts';
import { DAEMON, type World } from './world.ts';

interface Parts {
  readonly fault: Fault;
  readonly random: Random;
  readonly quick: boolean;
  readonly namespace: string;
  readonly kube: KubeBackend;
  readonly front: Front | undefined;
  readonly brokers: ReadonlyMap<BrokerName, Broker>;
  readonly subscribers: ReadonlyMap<BrokerName, Subscriber>;
  readonly truth: Truth;
  readonly daemon: Program;
  readonly spec: DaemonSpec;
  readonly volume: Volume | undefined;
  readonly journal: string;
  readonly port: number;
}

const SETTLE_MS = 120_000;

/**
 * The stage of one fault: a daemon that watches an API server and publishes everything to one topic of each broker,
 * somebody who writes, subscribers, and whoever takes notes. The daemon begins with what is written from now on.
 */
export class Scene implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #scope: AsyncDisposableStack;
  readonly #scraper: Scraper;
  readonly #first: number;
  #load: SteadyLoad | undefined;
  #recoveryMs: number | undefined;
  /** How much was there at the last look. */
  #seen = '';
  /** The daemon has ended so often without having been asked to; a fault that ends it otherwise counts it here. */
  kills = 0;
  /** See History. */
  readonly presents: bigint[] = [];
  readonly forgotten: Gap[] = [];
  /** What the table says beside the counts, by route. */
  readonly notes = new Map<BrokerName, string>();
  /** When what happened, for whoever judges: milliseconds since 1970, by what it was. */
  readonly moments: { readonly what: string; readonly at: number }[] = [];

  private constructor(parts: Parts, scope: AsyncDisposableStack) {
    this.#parts = parts;
    this.#scope = scope;
    this.#first = parts.truth.revisions.length;
    this.#scraper = scope.use(new Scraper(parts.port, () => parts.daemon.pid));
  }

  static async open(world: World, fault: Fault, chance: { random: Random; quick: boolean }): Promise<Scene> {
    await using scope = new AsyncDisposableStack();
    const { scene = {}, brokers: names } = fault;
    const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-fault-')));
    const kube = scene.ownKube === true ? scope.use(await startKube()) : await world.kube();
    if (scene.emptyKube === true) await deleteEvents(kube.address);
    const brokers = new Map<BrokerName, Broker>();
    const subscribers = new Map<BrokerName, Subscriber>();
    for (const name of names) {
      const own = scene.start?.[name] ?? (scene.ownBrokers === true ? START[name] : undefined);
      const broker = own === undefined ? await world.broker(name) : scope.use(await own(world));
      brokers.set(name, broker);
      subscribers.set(name, scope.use(await broker.subscriber()));
    }
    const client = scope.use(new KubeClient(kube.address));
    const namespace = await client.createNamespace('fault');
    const front = scene.front === undefined ? undefined : scope.use(await scene.front(kube.address, world));
    const truth = scope.use(await watchTruth(kube.address, 'now'));
    const port = await freePort();
    const volume =
      scene.volumeMiB === undefined ? undefined : scope.use(await Volume.mount(directory, scene.volumeMiB));
    const journal = join(volume?.path ?? directory, 'journal.db');
    const spec: DaemonSpec = {
      directory,
      program: DAEMON,
      kube: front?.address ?? kube.address,
      source: { startFrom: 'now' },
      brokers: Object.fromEntries([...subscribers].map(([name, { broker }]) => [name, broker])),
      routes: [...subscribers].map(([name, { to }]) => ({ name, to: { broker: name, ...to }, ...scene.route })),
      more: { metrics: { host: '127.0.0.1', port }, journal: { path: journal, ...scene.journal } },
    };
    const daemon = scope.use(await startDaemonProcess(spec));
    await watching(port);
    const parts = {
      ...{ ...chance, fault, namespace, kube, front, brokers, subscribers, truth, daemon, spec, volume, journal, port },
    };
    return new Scene(parts, scope.move());
  }

  get random(): Random {
    return this.#parts.random;
  }

  /** Fewer rounds of everything, for those who wait. */
  get quick(): boolean {
    return this.#parts.quick;
  }

  get kube(): KubeBackend {
    return this.#parts.kube;
  }

  get namespace(): string {
    return this.#parts.namespace;
  }

  get daemon(): Program {
    return this.#parts.daemon;
  }

  get journal(): string {
    return this.#parts.journal;
  }

  get volume(): Volume {
    const { volume } = this.#parts;
    if (volume === undefined) throw new Error('the fault has not asked for a volume');
    return volume;
  }

  /** What the daemon's config is made from. */
  get spec(): DaemonSpec {
    return this.#parts.spec;
  }

  get metricsPort(): number {
    return this.#parts.port;
  }

  get brokers(): readonly Broker[] {
    return [...this.#parts.brokers.values()];
  }

  get truth(): Truth {
    return this.#parts.truth;
  }

  get scraper(): Scraper {
    return this.#scraper;
  }

  /** What a broker's subscriber has so far. */
  async seen(broker: BrokerName): Promise<readonly Seen[]> {
    return (await this.#parts.subscribers.get(broker)?.seen()) ?? [];
  }

  /** The daemon's own words since its first start. */
  log(): Promise<string> {
    return readFile(this.daemon.log, 'utf8');
  }

  /** The daemon's next start finds these entries in its config's `journal`, beside or instead of the fault's own. */
  async reconfigure(journal: object): Promise<void> {
    const { spec, fault } = this.#parts;
    const whole = { path: this.journal, ...fault.scene?.journal, ...journal };
    await writeConfig({ ...spec, more: { ...spec.more, journal: whole } });
  }

  /** Ends the daemon as the kernel would. */
  async kill(): Promise<void> {
    this.kills += 1;
    await this.daemon.kill();
  }

  mark(what: string): void {
    this.moments.push({ what, at: Date.now() });
  }

  /** In the short form faults are shown beside each other, and what is written meanwhile takes most of the processors. */
  get #steadyRate(): number {
    return this.quick ? 150 : 300;
  }

  /** Begins to write, at the fault's rate unless another is given. */
  write(rate = this.#parts.fault.scene?.rate ?? this.#steadyRate): void {
    const { kube, namespace, random } = this.#parts;
    if (rate > 0) this.#load ??= new SteadyLoad(kube.address, { rate, namespace, random });
  }

  /** Settles when so many revisions more have been written, whoever writes them. */
  async written(revisions: number): Promise<void> {
    const until = this.truth.revisions.length + revisions;
    while (this.truth.revisions.length < until) await sleep(10);
  }

  /** Writes no more. */
  async rest(): Promise<void> {
    const load = this.#load;
    this.#load = undefined;
    await load?.[Symbol.asyncDispose]();
  }

  /** The fault is over: waits until everything has arrived, or for as long as it may take. */
  async settle(): Promise<void> {
    this.#recoveryMs = undefined;
    await this.rest();
    await this.truth.upTo();
    const began = Date.now();
    const { settleMs = SETTLE_MS } = this.#parts.fault.scene ?? {};
    while (Date.now() - began <= settleMs) {
      if (await this.#isComplete()) {
        this.#recoveryMs = Date.now() - began;
        return;
      }
      await sleep(100);
    }
  }

  /** Ends the daemon in an orderly way, and gives what was recorded. */
  async history(): Promise<History> {
    const { daemon, fault } = this.#parts;
    await daemon.stop();
    await this.#scraper[Symbol.asyncDispose]();
    const { atLeast = 500, memoryMiB = 512, brokersMayLose = [] } = fault.scene ?? {};
    return {
      truth: this.#truly(),
      routes: await this.#routes(),
      journal: await readStopped(this.journal),
      scrapes: this.#scraper.scrapes,
      kills: this.kills,
      presents: this.#presents(),
      forgotten: this.forgotten,
      brokersMayLose,
      memoryMiB,
      atLeast,
      recoveryMs: this.#recoveryMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest().catch(() => {});
    await this.#scope.disposeAsync();
  }

  #presents(): readonly bigint[] {
    return [...this.presents, ...(this.#parts.front?.presents ?? [])];
  }

  #truly(): readonly TruthRevision[] {
    return this.truth.revisions.slice(this.#first);
  }

  async #routes(): Promise<readonly RouteHistory[]> {
    const { subscribers, fault } = this.#parts;
    return Promise.all(
      Array.from(subscribers, async ([broker, subscriber]) => {
        const seen = await subscriber.seen();
        const { takes = () => true, dies = () => undefined } = fault.scene ?? {};
        const mustDie = (revision: TruthRevision) => dies(revision, broker);
        return { route: broker, broker, seen, gaps: gapsIn(seen), takes, dies: mustDie };
      }),
    );
  }

  /** Nothing waits, and what is missing all the same has died or expired, by the daemon's counters. */
  async #isComplete(): Promise<boolean> {
    const last = this.#scraper.scrapes.at(-1);
    if (last === undefined || Date.now() - last.at > 2_000) return false;
    const counters = [...last.routes.values()];
    if (counters.length === 0 || counters.some(({ lag, pending }) => lag + pending > 0)) return false;
    const routes = await this.#routes();
    const { forgotten } = this;
    const history = { truth: this.#truly(), routes, journal: UNREAD, presents: this.#presents(), forgotten };
    const seen = routes.map((route) => route.seen.length).join();
    const atRest = seen === this.#seen;
    this.#seen = seen;
    const { brokersMayLose = [] } = this.#parts.fault.scene ?? {};
    return routes.every((route) => {
      if (brokersMayLose.includes(route.broker)) return atRest;
      const { dead = 0, expired = 0 } = last.routes.get(route.route) ?? {};
      return classify(history, route).counts.missing <= dead + expired;
    });
  }
}
