import { randomUUID } from 'node:crypto';
import { History } from './history.ts';
import { type Body, farewellOf, type Revision, sizeOf } from './revision.ts';
import { SortedKeys } from './sorted-keys.ts';
import { badRequest } from './status.ts';

export interface Limits {
  /** Events kept at once; above it the one written longest ago expires early. */
  readonly events: number;
  /** Revisions that a watch can be given; above it the oldest are compacted. */
  readonly revisions: number;
  /** Characters of JSON, for the Events and for the history each. */
  readonly bytes: number;
  /** Seconds until history is compacted, as a real API server does every five minutes. */
  readonly historySeconds: number;
  /** Seconds from its last write until an Event expires. */
  readonly eventTtlSeconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  events: 50_000,
  revisions: 100_000,
  bytes: 128 * 1024 * 1024,
  historySeconds: 300,
  eventTtlSeconds: 3600,
};

/** What is to be written. The body is the Event's JSON, cut at its resourceVersion. */
export interface Write {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly body: Body;
}

/**
 * Events as etcd keeps them: one counter of revisions over everything, every state of a key since the last compaction,
 * and from that any earlier state of the whole (for the pages of one list) and any stretch of changes (for a watch).
 *
 * A key's states hang together as a chain, newest first. Compacting at a revision drops what came before it from the
 * history and cuts the chain below the newest state at or before it, so nothing needs to be searched.
 */
export class Store {
  readonly history = new History();
  readonly limits: Limits;
  /** Called for each revision, in order. */
  onRevision: (revision: Revision) => void = () => {};
  readonly #now: () => number;
  readonly #keys = new SortedKeys();
  /** In the order of the last write, so that the first one expires first. */
  readonly #live = new Map<string, Revision>();
  readonly #deleted = new Map<string, Revision>();
  readonly #uidPrefix = randomUUID().slice(0, -12);
  #liveBytes = 0;
  #uids = 0;
  #revision: number;
  #hiding = 0;
  #compacted = 0;

  constructor(limits: Limits, firstRevision: number, now: () => number) {
    this.limits = limits;
    this.#revision = firstRevision - 1;
    this.#now = now;
  }

  /** The resourceVersion of the last write of anything. */
  get revision(): number {
    return this.#revision;
  }

  /** The oldest revision whose state is still known. */
  get compacted(): number {
    return this.#compacted;
  }

  get size(): number {
    return this.#live.size;
  }

  now(): number {
    return this.#now();
  }

  /** Unique in this run and across runs; it counts, so that the log of what was emitted need keep a number only. */
  newUid(): string {
    return this.uidOf(++this.#uids);
  }

  uidOf(count: number): string {
    return this.#uidPrefix + count.toString(16).padStart(12, '0');
  }

  get(key: string): Revision | undefined {
    return this.#live.get(key);
  }

  /** Another resource is written: the counter is one for all of them. */
  advance(revisions = 1): number {
    this.#revision += revisions;
    return this.#revision;
  }

  /** The next changes of Events are stored and listed, and never told to a watch. */
  hide(changes: number): void {
    this.#hiding = changes;
  }

  put({ namespace, name, uid, body }: Write): Revision {
    const key = `${namespace}/${name}`;
    const previous = this.#live.get(key) ?? this.#deleted.get(key);
    const modifies = previous !== undefined && previous.type !== 'DELETED';
    const revision = this.#append({ type: modifies ? 'MODIFIED' : 'ADDED', key, namespace, name, uid, body, previous });
    if (previous === undefined) this.#keys.add(key);
    this.#setLive(revision);
    this.#keepWithinLimits();
    return revision;
  }

  delete(key: string): Revision | undefined {
    const previous = this.#live.get(key);
    if (previous === undefined) return undefined;
    const { namespace, name, uid, body } = previous;
    const revision = this.#append({ type: 'DELETED', key, namespace, name, uid, body, previous });
    this.#dropLive(key);
    this.#deleted.set(key, revision);
    return revision;
  }

  /** The Events as they were at `revision`, which must not lie before the last compaction, in the order of the keys. */
  *snapshot(revision: number, from: string, to: string | undefined): Generator<Revision> {
    for (const key of this.#keys.range(from, to)) {
      const state = this.#stateAt(revision, key);
      if (state !== undefined) yield state;
    }
  }

  /**
   * How many Events `snapshot` has. Only what was deleted or has changed since is looked at, or each page of a list would
   * walk all of it.
   */
  count(revision: number, from: string, to: string | undefined): number {
    const doubtful = new Set(this.#deleted.keys());
    const { history } = this;
    for (let place = history.end - 1; place >= history.first; place--) {
      const change = history.at(place);
      if (change === undefined || change.resourceVersion <= revision) break;
      doubtful.add(change.key);
    }
    const isIn = (key: string) => from <= key && (to === undefined || key < to);
    const absent = [...doubtful].filter((key) => isIn(key) && this.#stateAt(revision, key) === undefined);
    return this.#keys.count(from, to) - absent.length;
  }

  #stateAt(revision: number, key: string): Revision | undefined {
    let state = this.#live.get(key) ?? this.#deleted.get(key);
    while (state !== undefined && state.resourceVersion > revision) state = state.previous;
    return state?.type === 'DELETED' ? undefined : state;
  }

  /** Forgets every state that was replaced before `revision`. */
  compact(revision = this.#revision): void {
    if (revision <= this.#compacted || revision > this.#revision) return;
    this.#compacted = revision;
    const { history } = this;
    for (let place = history.first; place < history.end; place++) {
      const change = history.at(place);
      if (change === undefined || change.resourceVersion > revision) return;
      change.previous = undefined;
      if (this.#deleted.get(change.key) === change) {
        this.#deleted.delete(change.key);
        if (!this.#live.has(change.key)) this.#keys.remove(change.key);
      }
      if (change.resourceVersion < revision) history.shift();
    }
  }

  /**
   * What an etcd restored from a backup does: everything after `revision` never happened, and the counter repeats.
   * Throws 400 when the state of that revision is not known.
   */
  restore(revision: number): void {
    if (revision < this.#compacted || revision > this.#revision) {
      throw badRequest(`revision ${revision} cannot be restored: known are ${this.#compacted} to ${this.#revision}`);
    }
    const { history } = this;
    for (let last = history.at(history.end - 1); last !== undefined; last = history.at(history.end - 1)) {
      if (last.resourceVersion <= revision) break;
      history.pop();
      this.#dropLive(last.key);
      this.#deleted.delete(last.key);
      if (last.previous === undefined) this.#keys.remove(last.key);
      else if (last.previous.type === 'DELETED') this.#deleted.set(last.key, last.previous);
      else this.#setLive(last.previous);
    }
    this.#revision = revision;
  }

  /** Expires Events and compacts history by age. */
  sweep(): void {
    const now = this.#now();
    for (const [key, state] of this.#live) {
      if (state.at + this.limits.eventTtlSeconds * 1000 > now) break;
      this.delete(key);
    }
    const oldest = now - this.limits.historySeconds * 1000;
    const { history } = this;
    let place = history.first;
    while ((history.at(place)?.at ?? Number.POSITIVE_INFINITY) < oldest) place++;
    if (place > history.first) this.compact(history.at(place)?.resourceVersion ?? this.#revision);
  }

  #append(change: Omit<Revision, 'resourceVersion' | 'at' | 'hidden'>): Revision {
    const hidden = this.#hiding > 0;
    if (hidden) this.#hiding--;
    const bare: Revision = { ...change, resourceVersion: ++this.#revision, at: this.#now(), hidden };
    const revision = change.type === 'DELETED' ? farewellOf(bare) : bare;
    this.history.push(revision);
    this.onRevision(revision);
    return revision;
  }

  #setLive(revision: Revision): void {
    this.#dropLive(revision.key);
    this.#deleted.delete(revision.key);
    this.#live.set(revision.key, revision);
    this.#liveBytes += sizeOf(revision);
  }

  #dropLive(key: string): void {
    const state = this.#live.get(key);
    if (state === undefined) return;
    this.#liveBytes -= sizeOf(state);
    this.#live.delete(key);
  }

  /** A tenth more than the limit is let in before history is cut, so that it is not cut at every write. */
  #keepWithinLimits(): void {
    const { history, limits } = this;
    while (this.#live.size > limits.events || (this.#liveBytes > limits.bytes && this.#live.size > 1)) {
      const [oldest] = this.#live.keys();
      if (oldest === undefined) break;
      this.delete(oldest);
    }
    if (history.length <= limits.revisions * 1.1 && history.bytes <= limits.bytes * 1.1) return;
    let place = history.end;
    let bytes = 0;
    while (place > history.first && history.end - place < limits.revisions) {
      const change = history.at(place - 1);
      bytes += change === undefined ? 0 : sizeOf(change);
      if (bytes > limits.bytes) break;
      place--;
    }
    this.compact(history.at(place)?.resourceVersion ?? this.#revision);
  }
}
