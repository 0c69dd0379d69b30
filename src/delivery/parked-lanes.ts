import type { Logger } from 'pino';
import type { Destination } from '../adapter.ts';
import { failpoint } from '../failpoint.ts';
import type { Journal } from '../journal/port.ts';
import type { ParkedMessage } from '../journal/record.ts';
import { backoffMs } from './bell.ts';

import type { Entry, Hold, Verdict } from './entry.ts';
import { LaneNews } from './lane-news.ts';

/** Rows loaded from a lane that flows, and from one that probes. */
const PAGE = 256;
const PROBES = 16;

/**
 * A destination that takes nothing (`key` undefined), or one key of it that cannot pass: its messages are parked in the
 * journal, in order, and all that follows for it is parked behind them until the lane has been drained.
 *
 * A lane probes: from time to time a few of its messages, one of each key, are tried. When one of them is delivered the
 * lane flows: page after page is loaded until the table holds nothing of it any more; then it is closed, and messages
 * take the direct way again.
 */
export class Lane {
  readonly destination: Destination;
  readonly key: string | undefined;
  readonly verdict: Hold;
  /** Entries made from parked rows, until what became of them is committed. */
  readonly loaded = new Set<Entry>();
  flowing = false;
  /** The last row that was loaded while flowing. */
  after = 0;
  /** Counts what has made rows stale that the journal had been asked for. */
  round = 0;
  /** When it probes next, by the steady clock. */
  probeAt = 0;
  /** Of the last message that was probed: the next round goes on behind it, or one object's messages could hide all others. */
  probedKey: string | undefined;
  #probes = 0;
  #passed = false;
  /** What the broker has rejected of it, by the row: to be loaded again does not make a message a new one. */
  readonly #rejected = new Map<number, Pick<Entry, 'rejections' | 'rejectedIn'>>();

  constructor(destination: Destination, key: string | undefined, verdict: Hold) {
    this.destination = destination;
    this.key = key;
    this.verdict = verdict;
  }

  /** What is said of a message that takes its place in the lane. */
  get behind(): Verdict {
    const state = this.key === undefined ? 'held' : 'retry';
    return { state, reason: this.verdict.reason, detail: 'waits behind an earlier message' };
  }

  /** Not now: the messages stay where they are, in the journal. Returns in how many milliseconds it probes. */
  backOff(now: number, askedMs: number): number {
    this.flowing = false;
    this.#passed = false;
    this.restart();
    // The other probes of the same round say nothing new.
    if (now < this.probeAt) return this.probeAt - now;
    const ms = Math.max(askedMs, backoffMs(this.#probes++, { firstMs: 1_000, maxMs: 30_000 }));
    this.probeAt = now + ms;
    return ms;
  }

  /** It begins again at its first row. */
  restart(): void {
    this.after = 0;
    this.round += 1;
  }

  /** It is in hand from now on. */
  load(entry: Entry, row: number): void {
    Object.assign(entry, this.#rejected.get(row));
    this.#rejected.delete(row);
    this.loaded.add(entry);
  }

  /** It is not tried any more for now: the journal has it. */
  letGo(entry: Entry): void {
    const { parked, rejections, rejectedIn } = entry;
    this.loaded.delete(entry);
    if (parked !== undefined && rejections > 0) this.#rejected.set(parked.id, { rejections, rejectedIn });
  }

  /** One of its messages was delivered: it flows, and the other probes with it. */
  passed(): void {
    this.#passed = true;
    this.#probes = 0;
  }

  /** How many rows to load now; what is in hand already may be among them. */
  wants(now: number): number {
    if (now < this.probeAt) return 0;
    if (this.#passed) this.flowing = true;
    if (this.flowing) return this.loaded.size < PAGE / 2 ? PAGE : 0;
    return this.loaded.size === 0 ? PROBES : 0;
  }

  /** Which rows to load: of a destination that probes, the first message of each key. */
  get rows(): Parameters<Journal['parked']>[1] {
    const { destination, key, after, flowing, probedKey } = this;
    if (key !== undefined) return { destination, key, after };
    return flowing ? { destination, after } : { destination, firstOfEachKeyBehind: probedKey ?? null };
  }

  /** Those of the rows that are to be tried now: where it probes, the first of each key; and none that is in hand. */
  take(rows: readonly ParkedMessage[]): readonly ParkedMessage[] {
    const inHand = new Set(Array.from(this.loaded, ({ parked }) => parked?.id));
    if (this.flowing) this.after = rows.at(-1)?.id ?? this.after;
    else if (this.key === undefined) this.probedKey = rows.at(-1)?.key;
    const first = new Map(rows.toReversed().map(({ id, key }) => [key, id]));
    return rows.filter(({ id, key }) => !inHand.has(id) && (this.flowing || first.get(key) === id));
  }
}

/** What the journal says of a lane when the route starts. */
export type StoredLane = Omit<Awaited<ReturnType<Journal['parkedLanes']>>[number], 'count'>;

/** So many lanes opened with nothing delivered in between: the route stops instead of parking everything. */
const BEFORE_STOP = 128;

export class ParkedLanes {
  readonly #news: LaneNews;
  /** How many were opened since a message was last delivered. */
  inARow = 0;
  readonly #byDestination = new Map<Destination, Lane>();
  readonly #byKey = new Map<string, Lane>();

  constructor(log: Logger) {
    this.#news = new LaneNews(log);
  }

  [Symbol.dispose](): void {
    this.#news[Symbol.dispose]();
  }

  [Symbol.iterator](): IterableIterator<Lane> {
    return [...this.#byDestination.values(), ...this.#byKey.values()].values();
  }

  get tooMany(): boolean {
    return this.inARow >= BEFORE_STOP;
  }

  /** The lane that a parked message was loaded from. */
  homeOf({ parked }: Pick<Entry, 'parked'>): Lane | undefined {
    return parked && !parked.revived ? this.of(parked.destination, parked.key) : undefined;
  }

  of(destination: Destination, key: string): Lane | undefined {
    return this.#byDestination.get(destination) ?? this.#byKey.get(laneKey(destination, key));
  }

  /** Lets go of all that was loaded, as a quota may have expired some; the rest is loaded again. */
  drop(): readonly Entry[] {
    return [...this].flatMap((lane) => {
      const dropped = [...lane.loaded];
      for (const entry of dropped) {
        entry.effect ??= 'dropped';
        lane.letGo(entry);
      }
      lane.restart();
      return dropped;
    });
  }

  /** Not when it was closed, or swallowed by its destination's: while the journal was asked, or for another one's rows. */
  has(lane: Lane): boolean {
    return this.of(lane.destination, lane.key ?? '') === lane;
  }

  reopen({ destination, key, state, reason, detail, parkedAt }: StoredLane): void {
    this.#open(destination, state === 'held' ? undefined : key, { state, reason, detail, since: parkedAt });
  }

  /** As `reopen`, and says so. */
  park(destination: Destination, key: string | undefined, verdict: Hold): Lane {
    const lane = this.#open(destination, key, verdict);
    this.#news.parked(lane);
    return lane;
  }

  /** It has been drained. */
  close(lane: Lane): void {
    if (lane.key === undefined) this.#byDestination.delete(lane.destination);
    else this.#byKey.delete(laneKey(lane.destination, lane.key));
    this.#news.drained(lane);
  }

  /** The lane for it, new or known; a destination's lane swallows those of its keys. */
  #open(destination: Destination, key: string | undefined, verdict: Hold): Lane {
    const known = this.#byDestination.get(destination) ?? (key === undefined ? undefined : this.of(destination, key));
    if (known) return known;
    const lane = new Lane(destination, key, verdict);
    failpoint('route.parked');
    this.inARow += 1;
    if (key !== undefined) {
      this.#byKey.set(laneKey(destination, key), lane);
      return lane;
    }
    for (const [name, other] of this.#byKey) {
      if (other.destination !== destination) continue;
      for (const entry of other.loaded) lane.loaded.add(entry);
      other.round += 1;
      this.#byKey.delete(name);
    }
    this.#byDestination.set(destination, lane);
    return lane;
  }
}

function laneKey(destination: Destination, key: string): string {
  return `${destination}\n${key}`;
}
