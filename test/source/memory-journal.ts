import {
  type Cursor,
  compareCursors,
  type Position,
  positionOf,
  type StreamName,
} from '../../src/envelope/position.ts';
import type { Append, Appended, JournalRecord, LookUp, NewRecord, StreamState } from '../../src/journal/record.ts';

/** What the source needs of a journal, with the same promises, in memory. */
export class MemoryJournal {
  readonly #streams = new Map<StreamName, StreamState>();
  readonly #rows = new Map<string, JournalRecord>();
  /** The first epoch of each stream's history. */
  readonly #histories = new Map<StreamName, number>();
  #blocked = Promise.withResolvers<void>();
  failure: Error | undefined;

  constructor() {
    this.#blocked.resolve();
  }

  /** Appends wait until `unblock`, as behind a quota. */
  block(): void {
    this.#blocked = Promise.withResolvers<void>();
  }

  unblock(): void {
    this.#blocked.resolve();
  }

  async streams(): Promise<readonly StreamState[]> {
    return [...this.#streams.values()];
  }

  async append({ records, state }: Append, signal: AbortSignal): Promise<Appended> {
    const aborted = new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    await Promise.race([this.#blocked.promise, aborted]);
    if (this.failure !== undefined) throw this.failure;
    const { stream, epoch } = state;
    let inserted = 0;
    for (const record of records) {
      const key = `${stream} ${epoch} ${record.position}`;
      if (this.#rows.has(key)) continue;
      this.#rows.set(key, { ...record, stream, epoch, appendedAt: 0, intact: true });
      inserted += 1;
    }
    if (state.rv === undefined) this.#histories.set(stream, epoch);
    this.#streams.set(stream, state);
    return { state, inserted };
  }

  async lookUp(stream: StreamName, revisions: readonly NewRecord[]): Promise<readonly LookUp[]> {
    const floor = this.#streams.get(stream)?.floor;
    const history = this.#histories.get(stream) ?? 0;
    return revisions.map(({ position, attributes: { id } }) => {
      if (floor !== undefined && position <= positionOf(floor)) return 'known';
      const at = [...this.#rows.values()].find(
        (row) => row.stream === stream && row.epoch >= history && row.position === position,
      );
      if (at === undefined) return 'unknown';
      return at.attributes.id === id ? 'known' : 'another';
    });
  }

  async read(stream: StreamName, after: Cursor): Promise<readonly JournalRecord[]> {
    const { epoch = 0, rv } = this.#streams.get(stream) ?? {};
    const end: Cursor = { epoch, position: (rv === undefined ? '' : `${positionOf(rv)}~`) as Position };
    return [...this.#rows.values()]
      .filter((row) => row.stream === stream && compareCursors(row, after) > 0 && compareCursors(row, end) <= 0)
      .sort(compareCursors);
  }
}
