import { unpackPage } from './packed-records.ts';
import type { Calls } from './protocol.ts';
import type { DeadLetter, DeadLetterFilter, JournalRecord } from './record.ts';

type Ask = <K extends 'findDeadLetters' | 'deadLetterRecord'>(
  kind: K,
  argument: Calls[K]['argument'],
) => Promise<Calls[K]['result']>;

/** What a person may do with dead letters. Everything goes in pieces, so that no commit waits long for one. */
export class DeadLetterOffice {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** A page now and then, empty or not, so that whoever waits can go away. */
  async *find(filter: DeadLetterFilter, order: 'oldest' | 'newest' = 'oldest'): AsyncGenerator<readonly DeadLetter[]> {
    let from: number | undefined;
    do {
      const found: Calls['findDeadLetters']['result'] = await this.#ask('findDeadLetters', { filter, order, from });
      yield found.letters;
      from = found.next;
    } while (from !== undefined);
  }

  /** Undefined when it has been replayed or dropped meanwhile. */
  async recordOf({ id }: Pick<DeadLetter, 'id'>): Promise<JournalRecord | undefined> {
    const [record] = unpackPage(await this.#ask('deadLetterRecord', id));
    return record;
  }
}
