import type { Logger } from 'pino';
import type { Commits } from './commits.ts';
import { unpackPage } from './packed-records.ts';
import type { Calls } from './protocol.ts';
import type { DeadLetter, DeadLetterFilter, JournalRecord, RouteName } from './record.ts';

/** Some dead letters of a route, revived under a number or dropped; or why not. */
export type Revived = { readonly route: RouteName } & (
  | { readonly ids: readonly number[]; readonly number: number }
  | { readonly refused: string; readonly count: number }
);
export interface Dropped {
  readonly route: RouteName;
  readonly ids: readonly number[];
}

export interface DeadLetterDoors {
  readonly ask: <K extends 'findDeadLetters' | 'deadLetterRecord'>(
    kind: K,
    argument: Calls[K]['argument'],
  ) => Promise<Calls[K]['result']>;
  readonly commits: Commits;
  readonly log: Logger;
}

/** Letters of one commit: each touches half a dozen b-trees, and no other commit may wait 50 ms for them. */
const STEP = 250;

/** What a person may do with dead letters. Everything goes in pieces, so that no commit waits long for one. */
export class DeadLetterOffice {
  readonly #doors: DeadLetterDoors;
  readonly #listeners = new Map<RouteName, () => void>();

  constructor(doors: DeadLetterDoors) {
    this.#doors = doors;
  }

  /** A page now and then, empty or not, so that whoever waits can go away. */
  async *find(filter: DeadLetterFilter, order: 'oldest' | 'newest' = 'oldest'): AsyncGenerator<readonly DeadLetter[]> {
    let from: number | undefined;
    do {
      const found: Found = await this.#doors.ask('findDeadLetters', { filter, order, from });
      yield found.letters;
      from = found.next;
    } while (from !== undefined);
  }

  /** One listener for each route. Returns its undoing. */
  onRevived(route: RouteName, listener: () => void): () => void {
    this.#listeners.set(route, listener);
    return () => {
      if (this.#listeners.get(route) === listener) this.#listeners.delete(route);
    };
  }

  /** Undefined when it has been revived or dropped meanwhile. */
  async recordOf({ id }: Pick<DeadLetter, 'id'>): Promise<JournalRecord | undefined> {
    const [record] = unpackPage(await this.#doors.ask('deadLetterRecord', id));
    return record;
  }

  /**
   * Has those that fit now sent again, of each route under one number and in their order: read once more, as it were. One
   * that dies again is a new dead letter. A page is durable when it comes; whoever stops asking leaves the rest as it is.
   * Those of a route that nobody would send stay what they are.
   */
  async *revive(filter: DeadLetterFilter, isGone: (route: RouteName) => boolean): AsyncGenerator<Revived> {
    const numbers = new Map<RouteName, number>();
    for await (const { route, ids } of this.#steps(filter)) {
      const now = Date.now();
      const asked = { route, ids, number: numbers.get(route), now };
      const done = isGone(route) ? undefined : await this.#doors.commits.submit('revive', asked);
      if (done === undefined) {
        yield { route, refused: gone(route), count: ids.length };
        continue;
      }
      if (done.ids.length === 0) continue;
      if (!numbers.has(route))
        this.#doors.log.info({ route, replay: done.number }, 'dead letters are sent again, as asked');
      numbers.set(route, done.number);
      this.#listeners.get(route)?.();
      yield { route, ...done };
    }
  }

  /** Lets go of those that fit now. A page is durable when it comes. */
  async *drop(filter: DeadLetterFilter): AsyncGenerator<Dropped> {
    for await (const { route, ids } of this.#steps(filter)) {
      const dropped = await this.#doors.commits.submit('drop', { route, ids });
      this.#doors.log.warn({ route, dropped: dropped.length }, 'dead letters were dropped, as asked');
      yield { route, ids: dropped };
    }
  }

  /** Ids of one route, the oldest first; not of what dies meanwhile. */
  async *#steps(filter: DeadLetterFilter): AsyncGenerator<Dropped> {
    let from: number | undefined;
    let newest = Number.POSITIVE_INFINITY;
    do {
      const found: Found = await this.#doors.ask('findDeadLetters', { filter, order: 'oldest', from });
      newest = Math.min(newest, found.newest);
      const letters = found.letters.filter(({ id }) => id <= newest);
      for (const route of new Set(letters.map((one) => one.route))) {
        const ids = letters.flatMap((one) => (one.route === route ? one.id : []));
        for (let at = 0; at < ids.length; at += STEP) yield { route, ids: ids.slice(at, at + STEP) };
      }
      from = found.next;
    } while (from !== undefined && from < newest);
  }
}

function gone(route: RouteName): string {
  return `the route ${route} is no longer in the config, and nobody would send its dead letters: drop them, or put it back`;
}

type Found = Calls['findDeadLetters']['result'];
