import { type Cursor, compareCursors, type StreamName } from '../envelope/position.ts';
import { pageBehind } from './page.ts';
import type { Limit } from './protocol.ts';
import type { JournalRecord } from './record.ts';

interface Page {
  readonly stream: StreamName;
  /** The page holds every record that could be read behind it, up to its own last one. */
  readonly after: Cursor;
  readonly records: readonly JournalRecord[];
}

/**
 * The pages that were read last from the file. Routes that fall behind do so together, as after a start or in a flood: each
 * page is then read and decoded once and not by each of them, and they share its records.
 *
 * A page stays true while no late row comes to stand among what could be read already and retention deletes nothing: whoever
 * does one or the other clears. Retention looks every few seconds, so nothing stays here that nobody reads.
 */
export class RecentPages {
  readonly #limit: { readonly pages: number; readonly bytes: number };
  /** The last one that was asked for stands last. */
  readonly #pages = new Set<Page>();

  /** So many, none of which is larger: one that is holds a single record. */
  constructor(limit: { readonly pages: number; readonly bytes: number }) {
    this.#limit = limit;
  }

  keep(page: Page): void {
    const bytes = page.records.reduce((sum, { data }) => sum + data.length, 0);
    if (bytes === 0 || bytes > this.#limit.bytes) return;
    this.#pages.add(page);
    const [oldest] = this.#pages;
    if (oldest && this.#pages.size > this.#limit.pages) this.#pages.delete(oldest);
  }

  /** Records behind `after`, at least one, or undefined when only the file can tell. */
  read(stream: StreamName, after: Cursor, limit: Limit): readonly JournalRecord[] | undefined {
    for (const page of this.#pages) {
      const last = page.records.at(-1);
      const holdsIt = last && compareCursors(page.after, after) <= 0 && compareCursors(after, last) < 0;
      if (page.stream !== stream || !holdsIt) continue;
      this.#pages.delete(page);
      this.#pages.add(page);
      return pageBehind(page.records, { after, limit });
    }
    return undefined;
  }

  clear(): void {
    this.#pages.clear();
  }
}
