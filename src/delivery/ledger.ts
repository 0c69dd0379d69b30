import type { Logger } from 'pino';
import type { Capabilities, Outcome, Receipt } from '../adapter.ts';
import type { Clock } from '../clock.ts';
import type { Cursor, StreamName } from '../envelope/position.ts';
import type { JournalRecord, ParkedMessage, Settlement } from '../journal/record.ts';
import type { Decision, Route } from '../routing/route.ts';
import type { Bell } from './bell.ts';
import type { Effect, Entry, Hold, Verdict } from './entry.ts';
import { decisionOf, entryOf, isInLane, parkedEntryOf, parksAt } from './entry.ts';
import { Judge, type Ruling } from './judge.ts';
import { KeyQueues } from './key-queues.ts';
import { type Flight, Pace } from './pace.ts';
import { type Lane, ParkedLanes } from './parked-lanes.ts';
import type { Pending } from './patience.ts';
import { Revived } from './revived.ts';
import { settlementOf } from './settlement.ts';
import { Window, type WindowLimit } from './window.ts';

export interface LedgerOptions {
  readonly route: Route;
  readonly capabilities: Capabilities;
  readonly window: WindowLimit;
  readonly bell: Bell;
  readonly log: Logger;
  readonly clock: Clock;
}

/**
 * Everything that a route has in hand, from `admit` to `settlement`: which messages wait in which key's queue, which are
 * under way, which lanes are parked, and what is settled but not committed. It does no input or output; route-worker.ts
 * moves the messages, and this says where each one goes next.
 *
 * Order: a key's messages leave its queue one after another, and one that is parked takes all that follow it in its lane
 * along. So the order per object holds for each destination; only between a destination that is held and another one
 * that is not may the messages of one object overtake each other, or one stuck destination would delay the rest.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #window: Window;
  readonly #queues: KeyQueues;
  readonly lanes: ParkedLanes;
  readonly revived = new Revived();
  readonly #judge = new Judge();
  readonly #pace: Pace;
  /** Parked messages that have been delivered or have died, to be committed. */
  #unparked: Entry[] = [];

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#window = new Window(options.window);
    this.lanes = new ParkedLanes(options.log);
    this.#queues = new KeyQueues(() => options.bell.ring());
    this.#pace = new Pace(options.capabilities);
  }

  get window(): Pick<Window, 'hasRoom' | 'page' | 'records'> {
    return this.#window;
  }

  get stopped(): Hold | undefined {
    return this.#pace.stopped;
  }

  /** The keys that wait before they are tried again. */
  get backingOff(): readonly string[] {
    return this.#queues.backingOff().map(({ key }) => key);
  }

  [Symbol.dispose](): void {
    this.#queues[Symbol.dispose]();
    this.lanes[Symbol.dispose]();
  }

  /**
   * A record that the route has just read, and the number of the replay that it belongs to, or 0. Tells whether that is
   * news for who sends and settles: one more that is skipped is not.
   */
  admit(record: JournalRecord, replay: number): boolean {
    const { route, clock } = this.#options;
    const decision = route.decide(record, clock.wall());
    if (decision.kind === 'filtered' || decision.kind === 'expired') {
      return this.#window.skip(record, decision.kind);
    }
    const place = decision.kind === 'publish' ? decision : { destination: '', key: record.key };
    const entry = entryOf(record, place, { route: route.name, replay });
    this.#window.add(entry);
    this.#begin(entry, decision);
    return true;
  }

  /** Rows of revived dead letters that were wanted in that round. */
  loadRevived(rows: readonly ParkedMessage[], round: number): void {
    for (const { entry, decision } of this.revived.take(rows, round, this.#options.route)) this.#begin(entry, decision);
  }

  #begin(entry: Entry, decision: Decision): void {
    const lane = isInLane(entry) ? undefined : this.lanes.of(entry.destination, entry.key);
    if (decision.kind === 'reject') this.#end(entry, { ...decision, state: 'dead' });
    else if (decision.kind !== 'publish') this.#settle(entry, { kind: 'filtered' });
    else if (lane) this.#end(entry, lane.behind);
    else this.#queues.add(entry);
  }

  /** What may be sent now, given how many batches are under way; empty when nothing may. */
  nextBatch(underWay: number): readonly Entry[] {
    const { messages, parallelism } = this.#pace.limit(this.#options.clock.steady());
    if (underWay >= parallelism || messages === 0 || !this.#queues.hasReady) return [];
    return this.#queues.take({ messages, ordered: this.#options.capabilities.orderedBatches });
  }

  /** The batch has been answered; without outcomes, its connection broke and nothing is known. */
  landed(batch: readonly Entry[], outcomes: readonly Outcome[] | undefined, flight: Flight): void {
    if (outcomes === undefined) this.#lost(batch, flight);
    else this.#judged(batch, outcomes);
    const again = batch.filter((entry) => this.#goesAgain(entry));
    this.#queues.landed(batch, again);
  }

  /** The most urgent of what could be committed, if anything: a lane waits for what leaves it, and `fill` for room. */
  get pending(): Pending | undefined {
    const { pending, hasRoom } = this.#window;
    const isUrgent = this.#unparked.length > 0 || (pending !== undefined && !hasRoom);
    return isUrgent ? 'urgent' : pending;
  }

  /** What can be committed now. `committed` is called when it has been. */
  settlement(): { readonly settlement: Settlement; committed(): void } | undefined {
    const taken = this.#window.take();
    const unparked = this.#unparked;
    if (taken === undefined && unparked.length === 0) return undefined;
    this.#unparked = [];
    return {
      settlement: settlementOf(this.#options.route.name, taken, unparked),
      committed: () => {
        if (taken) this.#window.committed(taken);
        for (const entry of unparked) (this.lanes.homeOf(entry) ?? this.revived).loaded.delete(entry);
      },
    };
  }

  /**
   * The window is full: what keeps failing gives its place to others. Of what breaks the connection only what two or more
   * do: while no others pass, nobody could ever tell whether the broker or they are to blame. And a parked message goes
   * back when one of its object, for another destination, waits behind it.
   */
  relieve(): void {
    if (this.#pace.stopped) return;
    const verdict: Verdict = { state: 'retry', reason: 'unavailable', detail: 'failed while the window was full' };
    for (const { key, first, behind } of this.#queues.backingOff()) {
      const inTheWay = first.parked === undefined || behind.some(({ parked }) => parked === undefined);
      const stuck = first.breaks > 0 ? this.#pace.isUndecided(first) : first.failures > 0 && inTheWay;
      if (stuck) this.#park(first, key, { verdict, waitMs: 0 });
      if (first.effect !== undefined) this.#options.bell.ring();
    }
  }

  /** Rows that a lane wanted in that round, back into the queues; without any, it is closed if it is drained. */
  load(lane: Lane, rows: readonly ParkedMessage[], round: number): void {
    if (lane.round !== round || !this.lanes.has(lane)) return;
    const { route, bell, clock } = this.#options;
    const drained = rows.length === 0 && lane.loaded.size === 0 && !this.#window.willPark(lane.destination, lane.key);
    if (drained && !this.#unparked.some((entry) => parksAt(entry, lane.destination, lane.key))) this.lanes.close(lane);
    for (const row of lane.take(rows)) {
      const decision = decisionOf(row, route, clock.wall());
      const entry = parkedEntryOf(row, decision, { route: route.name, revived: false });
      lane.load(entry, row.id);
      this.#begin(entry, decision);
    }
    if (rows.length > 0) bell.ring();
  }

  /** Lets go of all up to `upTo` and of what was loaded; late outcomes change nothing. Returns how far it went. */
  drop(stream: StreamName, upTo: Cursor): Cursor {
    const dropped = this.#window.drop(stream, upTo);
    for (const entry of [...dropped.entries, ...this.lanes.drop(), ...this.revived.drop()]) this.#pace.settled(entry);
    this.#queues.remove((entry) => entry.effect === 'dropped');
    return dropped.upTo;
  }

  #lost(batch: readonly Entry[], flight: Flight): void {
    const inHand = batch.filter(({ effect }) => effect === undefined);
    const guilty = this.#pace.lost(inHand, flight);
    if (guilty) {
      const detail = `the connection broke each of the ${guilty.breaks} times that this message was sent alone`;
      this.#end(guilty, { state: 'dead', reason: 'breaks-connection', detail });
    }
    for (const { key, breaks, effect } of inHand) {
      if (effect === undefined && breaks > 0) this.#queues.backOff(key, 1_000 * breaks);
    }
  }

  #judged(batch: readonly Entry[], outcomes: readonly Outcome[]): void {
    const now = this.#options.clock.steady();
    outcomes.forEach((outcome, i) => {
      const entry = batch[i];
      if (entry === undefined || entry.effect !== undefined) return;
      if (outcome.kind === 'delivered') this.#pace.delivered(entry);
      else this.#pace.settled(entry);
      this.#obey(entry, this.#judge.ruling(entry, outcome, now));
    });
  }

  #obey(entry: Entry, ruling: Ruling): void {
    switch (ruling.kind) {
      case 'delivered':
        this.#delivered(entry, ruling.receipt);
        break;
      case 'dead':
        this.#end(entry, ruling.verdict);
        break;
      case 'again':
        this.#queues.backOff(entry.key, ruling.waitMs);
        // The probe of a stopped route has failed: the next one is not due at once.
        if (this.#pace.stopped) this.#stop(this.#pace.stopped);
        break;
      case 'park':
        this.#park(entry, entry.key, ruling);
        break;
      case 'hold':
        this.#park(entry, undefined, { verdict: ruling.verdict, waitMs: 0 });
        break;
      default:
        ruling satisfies never;
    }
  }

  #delivered(entry: Entry, receipt: Receipt): void {
    this.lanes.inARow = 0;
    this.#settle(entry, { kind: 'delivered', receipt, at: this.#options.clock.wall() });
    this.lanes.homeOf(entry)?.passed();
  }

  /** Parks the message and everything behind it in its lane; or stops the route, where nothing of it gets through. */
  #park(entry: Entry, key: string | undefined, { verdict, waitMs }: { verdict: Verdict; waitMs: number }): void {
    const { route, log, clock, bell } = this.#options;
    const { destination } = entry;
    const home = this.lanes.homeOf(entry);
    if (home) {
      bell.ringIn(home.backOff(clock.steady(), waitMs));
      const waiting = new Set(this.#queues.remove((other) => home.loaded.has(other)));
      // What follows it in its own batch must not go again before it.
      const behindIt = ({ key, effect }: Entry) => key === entry.key && effect === undefined;
      for (const other of home.loaded) if (waiting.has(other) || behindIt(other)) this.#letGo(other);
      return;
    }
    // It takes its place there when the batch has landed.
    if (this.lanes.of(destination, entry.key)) return;
    if ((key === undefined && route.constantDestination !== undefined) || this.lanes.tooMany) {
      if (!this.#pace.stopped)
        log.error({ destination, ...verdict }, 'nothing gets through: the route waits and probes');
      this.#stop(verdict);
      return;
    }
    const lane = this.lanes.park(destination, key, { ...verdict, since: clock.wall() });
    bell.ringIn(lane.backOff(clock.steady(), waitMs));
    this.#end(entry, verdict);
    for (const waiting of this.#queues.removeOf(lane.destination, lane.key)) {
      // One of another lane, such as the gap of a quota, has to be loaded again.
      if (isInLane(waiting)) this.#letGo(waiting)?.restart();
      else if (waiting !== entry) this.#end(waiting, lane.behind);
    }
  }

  #stop(verdict: Verdict): void {
    this.#options.bell.ringIn(this.#pace.stop(verdict, this.#options.clock));
  }

  /** A parked message that is not tried any more for now: the journal has it. */
  #letGo(entry: Entry): Lane | undefined {
    const home = this.lanes.homeOf(entry);
    home?.letGo(entry);
    this.#pace.settled(entry);
    return home;
  }

  #end(entry: Entry, { state, reason, detail }: Verdict): void {
    const { log, clock } = this.#options;
    if (state === 'dead')
      log.warn({ id: entry.message.attributes.id, reason, detail }, 'dead letter: this message can never pass');
    this.#settle(entry, { kind: 'parked', verdict: { state, reason, detail }, at: clock.wall() });
  }

  #settle(entry: Entry, effect: Effect): void {
    entry.effect = effect;
    this.#pace.settled(entry);
    if (entry.parked !== undefined) this.#unparked.push(entry);
  }

  /**
   * While the message was under way its lane may have been parked, by an earlier message of the same batch for one: then
   * it takes its place behind that one. And a parked message whose lane has backed off is not kept: the journal has it.
   */
  #goesAgain(entry: Entry): boolean {
    if (entry.effect !== undefined) return false;
    if (isInLane(entry)) return this.lanes.homeOf(entry)?.loaded.has(entry) ?? false;
    const lane = this.lanes.of(entry.destination, entry.key);
    if (lane) this.#end(entry, lane.behind);
    return lane === undefined;
  }
}
