import type { StreamName } from '../envelope/position.ts';
import { unpackPage } from './packed-records.ts';
import type { Calls } from './protocol.ts';
import type { JournalRecord, RecordTrail } from './record.ts';

/** Stored records of one involved object, its name and namespace as they stand in an object key; or with one id. */
export type Wanted =
  | {
      readonly kind: 'object';
      /** In lower case: `pod`, `deployment`, `deployment.apps`; the record may be of any of them. */
      readonly kinds: readonly string[];
      /** Any of them; undefined: all. A cluster's own objects have ''. */
      readonly namespaces?: readonly string[] | undefined;
      readonly name: string;
    }
  | { readonly kind: 'id'; readonly id: string };

type Ask = <K extends 'find' | 'trails' | 'gaps'>(
  kind: K,
  argument: Calls[K]['argument'],
) => Promise<Calls[K]['result']>;

/** Records and routes that one question is about at most: it takes milliseconds, and a commit waits no longer. */
const PAIRS = 200;

/** What was stored and what became of it. Everything is asked in pieces, so that no commit waits long for one. */
export class PaperTrail {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Newest first; a page now and then, empty or not, so that whoever waits can go away. */
  async *find(what: Wanted): AsyncGenerator<readonly JournalRecord[]> {
    let before: number | undefined;
    do {
      const found: Calls['find']['result'] = await this.#ask('find', { what, before });
      yield unpackPage(found.page);
      ({ before } = found);
    } while (before !== undefined);
  }

  /** In the order of the records. One that retention has deleted meanwhile has nothing to show. */
  async of(records: readonly JournalRecord[]): Promise<readonly RecordTrail[]> {
    const trails: RecordTrail[] = [];
    let step = 1;
    for (let at = 0; at < records.length; at += step) {
      // How many routes there are is known from the first answer.
      const pairs = Math.max(1, trails[0]?.routes.length ?? PAIRS);
      step = Math.max(1, Math.floor(PAIRS / pairs));
      trails.push(...(await this.#ask('trails', records.slice(at, at + step).map(placeOf))));
    }
    return trails;
  }

  /** The newest gap records, newest first; those that only one route gets too. */
  async gaps(limit: number): Promise<readonly JournalRecord[]> {
    return unpackPage(await this.#ask('gaps', limit));
  }
}

function placeOf({
  stream,
  epoch,
  position,
}: JournalRecord): { stream: StreamName } & Pick<JournalRecord, 'epoch' | 'position'> {
  return { stream, epoch, position };
}
