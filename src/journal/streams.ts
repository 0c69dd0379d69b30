import type { DatabaseSync } from 'node:sqlite';
import {
  type Cursor,
  compareResourceVersions,
  type Position,
  type ResourceVersion,
  type StreamName,
} from '../envelope/position.ts';
import type { Listing, StreamState } from './record.ts';
import { demandFit, fits } from './seal.ts';
import { higher } from './watermark.ts';

/** Holds the gap records that only one route's parked message refers to; no route reads it. Not a legal namespace. */
export const ROUTE_GAPS = '_gaps' as StreamName;

export interface Stream {
  readonly id: number;
  readonly state: StreamState;
  /** The first epoch of the history that the API server still goes on with: older resourceVersions mean nothing now. */
  readonly history: number;
  /** Behind it nothing has been deleted. */
  readonly trimmed: Cursor;
  /** Nothing that was appended later has been deleted, in milliseconds since 1970. */
  readonly trimmedAt: number;
}

/** Against the journal's rules; thrown before anything is written, so that the rest of the commit stands. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

type Row = Record<string, unknown>;

/** The rows of the table `streams`: read anew for every change, so that a rollback leaves nothing wrong behind. */
export class Streams {
  readonly #byName;
  readonly #byId;
  readonly #all;
  readonly #insert;
  readonly #update;

  constructor(db: DatabaseSync) {
    const rows = `SELECT *, ${fits('streams')} AS fits FROM streams`;
    this.#byName = db.prepare(`${rows} WHERE name = ?`);
    this.#byId = db.prepare(`${rows} WHERE id = ?`);
    this.#all = db.prepare(`${rows} ORDER BY id`);
    this.#insert = db.prepare(
      'INSERT INTO streams (name, epoch, rv, floor, listing, history) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#update = db.prepare(
      `UPDATE streams
       SET epoch = ?, rv = ?, floor = ?, listing = ?, history = ?, trimmed_epoch = ?, trimmed_position = ?,
         trimmed_at = ?
       WHERE id = ?`,
    );
  }

  get(name: StreamName): Stream | undefined {
    const row = this.#byName.get(name);
    return row && streamOf(row);
  }

  need(name: StreamName): Stream {
    const stream = this.get(name);
    if (!stream) throw new Refused(`the journal has no stream ${name}`);
    return stream;
  }

  withId(id: number): Stream {
    const row = this.#byId.get(id);
    if (!row) throw new Error(`the journal has no stream with the id ${id}`);
    return streamOf(row);
  }

  /** Those that routes read. */
  all(): Stream[] {
    return this.#all.all().flatMap((row) => (row.name === ROUTE_GAPS ? [] : streamOf(row)));
  }

  create(state: StreamState): Stream {
    const listing = state.listing ? JSON.stringify(state.listing) : null;
    this.#insert.run(state.stream, state.epoch, state.rv ?? null, state.floor ?? null, listing, state.epoch);
    return this.need(state.stream);
  }

  /** The stream of the routes' own gap records. Nobody reads it: each of its records goes with its parked message. */
  routeGaps(): Stream {
    const known = this.get(ROUTE_GAPS);
    if (known) return known;
    const state = { stream: ROUTE_GAPS, epoch: 0, rv: undefined, floor: undefined, listing: undefined };
    const trimmed = { epoch: Number.MAX_SAFE_INTEGER, position: '' as Position };
    this.update({ ...this.create(state), trimmed });
    return this.need(ROUTE_GAPS);
  }

  update({ id, state, history, trimmed, trimmedAt }: Stream): void {
    const listing = state.listing ? JSON.stringify(state.listing) : null;
    const { epoch, rv = null, floor = null } = state;
    this.#update.run(epoch, rv, floor, listing, history, trimmed.epoch, trimmed.position, trimmedAt, id);
  }
}

function streamOf(row: Row): Stream {
  demandFit(row, `where stream ${row.name} stands`);
  return {
    id: Number(row.id),
    state: {
      stream: row.name as StreamName,
      epoch: Number(row.epoch),
      rv: (row.rv ?? undefined) as ResourceVersion | undefined,
      floor: (row.floor ?? undefined) as ResourceVersion | undefined,
      listing: row.listing === null ? undefined : (JSON.parse(String(row.listing)) as Listing),
    },
    history: Number(row.history),
    trimmed: { epoch: Number(row.trimmed_epoch), position: row.trimmed_position as Position },
    trimmedAt: Number(row.trimmed_at),
  };
}

/** The state that follows, or a refusal: a stream never goes back within an epoch, nor to an earlier one. */
export function nextState(stream: Stream, next: StreamState): Pick<Stream, 'state' | 'history'> {
  const { state, history } = stream;
  const back = state.rv !== undefined && (next.rv === undefined || compareResourceVersions(next.rv, state.rv) < 0);
  if (next.epoch < state.epoch || (next.epoch === state.epoch && back)) {
    const [from, to] = [state, next].map(({ epoch, rv }) => `resourceVersion ${rv ?? 'none'} of epoch ${epoch}`);
    throw new Refused(`stream ${state.stream} cannot go back from ${from} to ${to}`);
  }
  // An epoch of late rows goes on where the last one stood; a restore begins one that stands nowhere yet.
  const renewed = next.epoch > state.epoch && (back || next.rv === undefined);
  if (renewed) return { state: next, history: next.epoch };
  return { state: { ...next, floor: higher(state.floor, next.floor) }, history };
}
