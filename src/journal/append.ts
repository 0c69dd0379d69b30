import { compareCursors, type Position } from '../envelope/position.ts';
import { unpackRecords } from './packed-records.ts';
import type { AppendResult, Changes } from './protocol.ts';
import type { StreamState } from './record.ts';
import type { Records } from './records.ts';
import { nextState, type Stream, type Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

/** Appends to a stream: its records and the state that it then has. */
export class Appender {
  readonly #streams: Streams;
  readonly #records: Records;

  constructor({ streams, records }: { readonly streams: Streams; readonly records: Records }) {
    this.#streams = streams;
    this.#records = records;
  }

  append({ state, records, appendedAt }: Changes['append']['argument']): AppendResult {
    const stream = this.#moved(state);
    const place = { stream: stream.id, epoch: state.epoch, appendedAt };
    const fresh = Uint8Array.from(unpackRecords(records), (row) => {
      // What retention has passed by was here, and every route is behind it; it must not come back with a list.
      const trimmed = compareCursors({ epoch: state.epoch, position: row.position as Position }, stream.trimmed) <= 0;
      return !trimmed && this.#records.insert(row, place) ? 1 : 0;
    });
    return { state: stream.state, fresh, hidden: this.hidden(stream) };
  }

  /** Whether rows of the stream's epoch stand above its watermark. */
  hidden({ id, state }: Stream): boolean {
    return this.#records.has({ stream: id, epoch: state.epoch, position: visibleEnd(state).position });
  }

  #moved(state: StreamState): Stream {
    const stream = this.#streams.get(state.stream);
    if (!stream) return this.#streams.create(state);
    const next = { ...stream, ...nextState(stream, state) };
    this.#streams.update(next);
    return next;
  }
}
