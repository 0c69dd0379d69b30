/** The journal behind the routes of a history: in arrays, or the real one in a file. */

import type { RouteJournal } from '../../src/delivery/route-worker.ts';
import type { Cursor, ResourceVersion, StreamName } from '../../src/envelope/position.ts';
import { parseResourceVersion } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { JournalRecord, RouteName, RouteState } from '../../src/journal/record.ts';
import { deadLettersOf, open, type Place, temporaryPlace } from '../journal/fixture.ts';
import { letterName } from './model-broker.ts';
import { ModelJournal } from './model-journal.ts';

/** `pause` stands where a crash may come between two commits. */
export type StoreJournal = Omit<RouteJournal, 'onQuota' | 'expire'> & {
  expire(
    route: RouteName,
    stream: StreamName,
    upTo: Cursor,
    pause: () => Promise<void>,
  ): ReturnType<RouteJournal['expire']>;
} & Pick<Journal, 'closeRoute'>;

export interface Store extends AsyncDisposable {
  readonly journal: StoreJournal;
  append(records: readonly JournalRecord[]): Promise<void>;
  /** What nobody needs any more goes. */
  retain(): Promise<void>;
  /** As after a crash. */
  reopen(): Promise<void>;
  state(route: RouteName): Promise<RouteState>;
  /** Dead letters, by id and the number of their replay, and why each is one. */
  dead(route: RouteName): Promise<ReadonlyMap<string, string>>;
  /** Has each of so many dead letters sent again, the oldest first; undefined when there is none. */
  revive(route: RouteName, each: number): Promise<Revival | undefined>;
  /** Lets go of each of so many; returns their names. */
  drop(route: RouteName, each: number): Promise<readonly string[]>;
}

export interface Revival {
  readonly number: number;
  readonly letters: readonly { readonly id: string; readonly name: string }[];
}

export class ModelStore implements Store {
  readonly #model = new ModelJournal();
  readonly #listeners = new Set<() => void>();
  readonly #onRevived = new Map<RouteName, () => void>();

  readonly journal: StoreJournal = {
    streams: async () =>
      this.#model.streamNames().map((stream) => ({
        stream,
        epoch: 1,
        rv: undefined,
        floor: undefined,
        listing: undefined,
      })),
    read: async (stream, after, { records }) => this.#model.read(stream, after, records),
    onAdvance: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
    openRoute: async (route, { startFrom }) => this.#model.openRoute(route, startFrom),
    closeRoute: async (route) => this.#model.closeRoute(route),
    settle: async (settlement) => this.#model.settle(settlement),
    parked: async (...asked) => this.#model.parked(...asked),
    revived: async (...asked) => this.#model.revived(...asked),
    onRevived: (route, listener) => {
      this.#onRevived.set(route, listener);
      return () => this.#onRevived.delete(route);
    },
    parkedLanes: async (route) => this.#model.parkedLanes(route),
    replay: async (route, from) => this.#model.replay(route, from),
    expire: async (route, stream, upTo, pause) => {
      const expired = this.#model.expireUnread(route, stream, upTo);
      await pause();
      return { expired: expired + this.#model.expireParked(route, stream, upTo), cursor: upTo };
    },
  };

  async append(records: readonly JournalRecord[]): Promise<void> {
    this.#model.append(records);
    for (const listener of this.#listeners) listener();
  }

  async retain(): Promise<void> {
    this.#model.retain();
  }

  async reopen(): Promise<void> {
    this.#listeners.clear();
  }

  async state(route: RouteName): Promise<RouteState> {
    return this.#model.state(route);
  }

  async dead(route: RouteName): Promise<ReadonlyMap<string, string>> {
    const rows = this.#model.deadLetters(route);
    return new Map(rows.map(({ record, replay, reason }) => [letterName(record.attributes.id, replay), reason]));
  }

  async revive(route: RouteName, each: number): Promise<Revival | undefined> {
    const chosen = this.#model.deadLetters(route).filter((_, at) => at % each === 0);
    const rows = onceEach(chosen, ({ record }) => record.attributes.id);
    if (rows.length === 0) return undefined;
    const ids = rows.map(({ id }) => id);
    const number = this.#model.revive(route, ids);
    this.#onRevived.get(route)?.();
    const letters = rows.map(({ record: { attributes }, replay }) => ({
      id: attributes.id,
      name: letterName(attributes.id, replay),
    }));
    return { number, letters };
  }

  async drop(route: RouteName, each: number): Promise<readonly string[]> {
    const rows = this.#model.deadLetters(route).filter((_, at) => at % each === 0);
    this.#model.drop(
      route,
      rows.map(({ id }) => id),
    );
    return rows.map(({ record, replay }) => letterName(record.attributes.id, replay));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export class FileStore implements Store {
  readonly #place: Place;
  #real: Journal;

  private constructor(place: Place, journal: Journal) {
    this.#place = place;
    this.#real = journal;
  }

  static async make(): Promise<FileStore> {
    const place = await temporaryPlace();
    return new FileStore(place, await open(place, { retainMs: 60_000 }));
  }

  get journal(): StoreJournal {
    return this.#real;
  }

  async append(records: readonly JournalRecord[]): Promise<void> {
    const last = records.at(-1);
    const rv = parseResourceVersion(last?.position.slice(2));
    if (last === undefined || rv === undefined) return;
    const { stream, epoch } = last;
    const state = { stream, epoch, rv: rv as ResourceVersion, floor: undefined, listing: undefined };
    await this.#real.append({ records, state }, new AbortController().signal);
  }

  /** It does so by itself, when its clock says so. */
  async retain(): Promise<void> {}

  async reopen(): Promise<void> {
    await this.#real[Symbol.asyncDispose]();
    this.#real = await open(this.#place, { retainMs: 60_000 });
  }

  async state(route: RouteName): Promise<RouteState> {
    const found = (await this.#real.routes()).find((one) => one.route === route);
    if (found === undefined) throw new Error(`no route ${route}`);
    return found;
  }

  async dead(route: RouteName): Promise<ReadonlyMap<string, string>> {
    const rows = await deadLettersOf(this.#real, route);
    return new Map(rows.map(({ eventId, replay, reason }) => [letterName(eventId, replay), reason]));
  }

  async revive(route: RouteName, each: number): Promise<Revival | undefined> {
    const rows = onceEach(await this.#dead(route, each), ({ eventId }) => eventId);
    const letters = rows.map(({ eventId, replay }) => ({ id: eventId, name: letterName(eventId, replay) }));
    const ids = rows.map(({ id }) => String(id));
    const done = await Array.fromAsync(this.#real.deadLetters.revive({ route, ids }, () => false));
    const [number] = done.flatMap((step) => ('number' in step ? step.number : []));
    return number === undefined ? undefined : { number, letters };
  }

  async drop(route: RouteName, each: number): Promise<readonly string[]> {
    const rows = await this.#dead(route, each);
    const ids = rows.map(({ id }) => String(id));
    await Array.fromAsync(this.#real.deadLetters.drop({ route, ids }));
    return rows.map(({ eventId, replay }) => letterName(eventId, replay));
  }

  async #dead(route: RouteName, each: number) {
    return (await deadLettersOf(this.#real, route)).filter((_, at) => at % each === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#real[Symbol.asyncDispose]();
    await this.#place[Symbol.asyncDispose]();
  }
}

/** A record that has died twice is sent again once. */
function onceEach<Letter>(letters: readonly Letter[], idOf: (letter: Letter) => string): readonly Letter[] {
  return [...new Map(letters.toReversed().map((letter) => [idOf(letter), letter])).values()].reverse();
}
