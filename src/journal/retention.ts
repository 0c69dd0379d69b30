import type { DatabaseSync } from 'node:sqlite';
import { type Cursor, compareCursors, parseResourceVersion, type ResourceVersion } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Holders } from './holders.ts';
import type { ParkedTable } from './parked.ts';
import type { PassedOver } from './passed-over.ts';
import type { Changes, TrimResult } from './protocol.ts';
import type { StreamState } from './record.ts';
import { cursorOf, type Records } from './records.ts';
import type { RemovedRoutes } from './removed-routes.ts';
import type { Routes } from './routes.ts';
import type { Stream, Streams } from './streams.ts';
import { higher, visibleEnd } from './watermark.ts';

type Row = Record<string, unknown>;

interface Tables {
  readonly streams: Streams;
  readonly routes: Routes;
  readonly records: Records;
  readonly parked: ParkedTable;
  readonly deadLetters: DeadLetters;
  readonly removed: RemovedRoutes;
  readonly holders: Holders;
  readonly passedOver: PassedOver;
  readonly room: {
    /** The quota is exceeded. */
    readonly isOver: () => boolean;
    /** The disk is full and half of the reserve used up: what has been delivered goes, whatever its age. */
    readonly isScarce: () => boolean;
  };
}

/** Rows that one step deletes at most: some milliseconds, so that no commit waits long for it. */
const STEP = 256;

/**
 * Retention, one step a call: the oldest records first, when they lie behind the cursors of all routes and are old
 * enough, or the quota is reached. A stream's `trimmed` is how far it has come; it passes over records that a parked
 * message refers to, and those go with the last such message.
 */
export class Retention {
  readonly #tables: Tables;
  readonly #first;
  readonly #next;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    const range = 'stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)';
    const order = 'ORDER BY epoch, position LIMIT';
    this.#first = db.prepare(`SELECT epoch, position, appended_at FROM records WHERE ${range} ${order} 1`);
    this.#next = db.prepare(`SELECT epoch, position, kind, appended_at FROM records WHERE ${range} ${order} ${STEP}`);
  }

  step({ before, now }: Changes['trim']['argument']): TrimResult {
    const { removed, deadLetters, holders, records, room } = this.#tables;
    const forgotten = removed.forget(now);
    if (forgotten > 0) return done(forgotten);
    const beyondLimit = deadLetters.dropBeyondLimit();
    if (beyondLimit > 0) return done(beyondLimit, beyondLimit);
    const over = room.isOver();
    const upTo = over || room.isScarce() ? Number.POSITIVE_INFINITY : before;
    const stream = this.#oldest(upTo);
    if (stream) return this.#trim(stream, upTo);
    if (!over) return done(0);
    const released = removed.release();
    if (released > 0) return done(released);
    return holders.find(Math.ceil(records.count / 10));
  }

  /** The stream whose oldest record that may go is older than the others', and than `before`. */
  #oldest(before: number): Stream | undefined {
    let found: { readonly stream: Stream; readonly appendedAt: number } | undefined;
    for (const stream of this.#tables.streams.all()) {
      const row = this.#first.get(...this.#range(stream));
      const appendedAt = Number(row?.appended_at);
      if (row && appendedAt < before && !(found && found.appendedAt <= appendedAt)) found = { stream, appendedAt };
    }
    return found?.stream;
  }

  /** Behind what is deleted already, up to where every route has been. */
  #range({ id, state, trimmed }: Stream): [number, number, string, number, string] {
    const lowest = this.#tables.routes.lowest(id);
    const visible = visibleEnd(state);
    const end = lowest && compareCursors(lowest, visible) < 0 ? lowest : visible;
    return [id, trimmed.epoch, trimmed.position, end.epoch, end.position];
  }

  #trim(stream: Stream, before: number): TrimResult {
    const { streams, records, parked, passedOver } = this.#tables;
    let { trimmed, trimmedAt } = stream;
    let floor = stream.state.floor;
    let steps = 0;
    for (const row of this.#next.all(...this.#range(stream))) {
      if (Number(row.appended_at) >= before) break;
      trimmed = cursorOf(row);
      trimmedAt = Math.max(trimmedAt, Number(row.appended_at));
      floor = higher(floor, versionOf(row, stream.history));
      const place = { ...trimmed, stream: stream.id };
      if (!parked.refersTo(place)) records.delete(place);
      steps += 1;
    }
    failpoint('journal.retained');
    const state: StreamState = { ...stream.state, floor };
    streams.update({ ...stream, state, trimmed, trimmedAt });
    passedOver.forget(stream.id, trimmed);
    return { ...done(steps), floors: [{ stream: state.stream, floor }] };
  }
}

function done(steps: number, beyondLimit = 0): TrimResult {
  return { steps, dropped: { full: 0, beyondLimit }, floors: [], holders: [] };
}

/** What raises the floor: a revision of the history that the API server still goes on with. */
function versionOf(row: Row, history: number): ResourceVersion | undefined {
  const { epoch, position }: Cursor = cursorOf(row);
  return row.kind === 'event' && epoch >= history ? parseResourceVersion(position.slice(2)) : undefined;
}
