import { type Position, positionOf, type StreamName } from '../../src/envelope/position.ts';
import type { Append, Appended, NewRecord, StreamState } from '../../src/journal/record.ts';

/** What the source needs of a journal, with the same promises, in memory. */
export class MemoryJournal {
  readonly #streams = new Map<StreamName, StreamState>();
  readonly #rows = new Map<string, NewRecord>();
  /** The appends wait while it is set, as behind a full disk. */
  blocked: Promise<void> | undefined;
  failure: Error | undefined;

  async streams(): Promise<readonly StreamState[]> {
    return [...this.#streams.values()];
  }

  async append({ records, state }: Append, signal?: AbortSignal): Promise<Appended> {
    while (this.blocked !== undefined) await this.blocked;
    signal?.throwIfAborted();
    if (this.failure !== undefined) throw this.failure;
    let inserted = 0;
    for (const record of records) {
      const key = `${state.stream} ${state.epoch} ${record.position}`;
      if (this.#rows.has(key)) continue;
      this.#rows.set(key, record);
      inserted += 1;
    }
    this.#streams.set(state.stream, state);
    return { state, inserted };
  }

  state(stream: StreamName): StreamState | undefined {
    return this.#streams.get(stream);
  }

  /** What routes may read, in their order, with the epoch. */
  readable(stream: StreamName): readonly { readonly epoch: number; readonly record: NewRecord }[] {
    const state = this.#streams.get(stream);
    if (state === undefined) return [];
    const upTo = state.rv === undefined ? '' : `${positionOf(state.rv)}!`;
    return [...this.#rows]
      .map(([key, record]) => ({ at: key.split(' '), record }))
      .filter(({ at }) => at[0] === stream)
      .map(({ at, record }) => ({ epoch: Number(at[1]), record }))
      .filter(({ epoch, record }) => epoch < state.epoch || record.position <= upTo)
      .sort((a, b) => a.epoch - b.epoch || order(a.record.position, b.record.position));
  }
}

function order(a: Position, b: Position): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
