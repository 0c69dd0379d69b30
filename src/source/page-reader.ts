import type { Origin } from '../envelope/cloud-event.ts';
import { parseResourceVersion } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import type { NewRecord } from '../journal/record.ts';
import { type EventsApi, PageTooLargeError } from './api.ts';
import { fieldsOf, UnorderedError } from './api-error.ts';
import type { Page } from './page.ts';
import type { StreamCounters } from './status.ts';

export interface PageReaderParts {
  readonly api: EventsApi;
  readonly envelope: (object: unknown, origin: Exclude<Origin, 'replay'>) => NewRecord | { readonly refused: string };
  readonly counters: Pick<StreamCounters, 'pages' | 'listed'>;
  /** Told of each item that is no Event. */
  readonly skip: (why: string) => void;
}

/** The bytes that a page should have; one that is larger makes the next ones shorter. */
const PAGE_BYTES = 8 * 1024 * 1024;

/**
 * Reads lists page by page. Events may be of a few hundred bytes or of a megabyte, so pages become shorter where Events
 * are large, and one that is too large to be taken in is asked for again in parts.
 */
export class PageReader {
  readonly #parts: PageReaderParts;
  readonly #most: number;
  #events: number;

  constructor(parts: PageReaderParts, events: number) {
    this.#parts = parts;
    this.#most = events;
    this.#events = events;
  }

  async read(token: string | undefined, signal: AbortSignal): Promise<Page> {
    this.#parts.counters.pages += 1;
    try {
      const { rv, items, token: next, bytes } = await this.#parts.api.list({ token, limit: this.#events }, signal);
      failpoint('source.page-read');
      const fitting = Math.floor((items.length * PAGE_BYTES) / bytes);
      this.#events = Math.max(1, Math.min(this.#most, fitting, this.#events * 2));
      return { rv, records: this.#recordsOf(items), token: next };
    } catch (error) {
      if (!(error instanceof PageTooLargeError) || this.#events === 1) throw error;
      this.#events = Math.ceil(this.#events / 8);
      return this.read(token, signal);
    }
  }

  #recordsOf(items: readonly unknown[]): readonly NewRecord[] {
    this.#parts.counters.listed += items.length;
    const records: NewRecord[] = [];
    for (const item of items) {
      const version = fieldsOf(fieldsOf(item).metadata).resourceVersion;
      if (version !== undefined && parseResourceVersion(version) === undefined) throw new UnorderedError(version);
      const record = this.#parts.envelope(item, 'backfill');
      if ('refused' in record) this.#parts.skip(`not an Event in a list, ${record.refused}`);
      else records.push(record);
    }
    return records;
  }
}
