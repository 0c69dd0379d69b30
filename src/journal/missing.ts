import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import {
  type Cursor,
  compareCursors,
  compareResourceVersions,
  ORIGIN,
  type Position,
  parseResourceVersion,
  positionBefore,
  type ResourceVersion,
  resourceVersionAt,
} from '../envelope/position.ts';
import type { Calls } from './protocol.ts';
import { cursorOf } from './records.ts';
import type { ReplayEnds } from './replay-ends.ts';
import type { Routes } from './routes.ts';
import type { Streams } from './streams.ts';

interface Tables {
  readonly streams: Streams;
  readonly routes: Routes;
  readonly replayEnds: ReplayEnds;
}

type Missed = NonNullable<Calls['missing']['result']>;
type Span = Missed['gaps'][number];

interface Asked {
  readonly stream: number;
  readonly route: number;
  readonly cursor: Cursor;
  readonly trimmed: Cursor;
  readonly upTo: Cursor;
}

/**
 * What a route would not get if it let go of everything up to a place, as the gaps that say so: one for each epoch, since
 * the revisions of two histories do not compare. A gap record that is let go of itself takes what it told of along; one
 * that tells of a restore is told again.
 */
export class Missing {
  readonly #tables: Tables;
  readonly #unread;
  readonly #parked;
  readonly #before;
  readonly #told;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    const range = '(epoch, position) > (:epoch, :position) AND (epoch, position) <= (:end, :last)';
    const first = 'ORDER BY epoch, position LIMIT 1';
    this.#unread = db.prepare(`SELECT epoch, position FROM records WHERE stream = :stream AND ${range} ${first}`);
    this.#parked = db.prepare(
      `SELECT epoch, position FROM parked INDEXED BY parked_place
       WHERE stream = :stream AND ${range} AND route = :route AND state <> 'dead' ${first}`,
    );
    this.#before = db.prepare(
      `SELECT epoch, position FROM records WHERE stream = :stream AND epoch = :epoch AND position < :position
       ORDER BY position DESC LIMIT 1`,
    );
    this.#told = db.prepare(
      `SELECT CAST(data AS TEXT) AS data FROM records r INDEXED BY records_gaps
       WHERE stream = :stream AND kind = 'gap' AND ${range} AND ((epoch, position) > (:read, :to) OR EXISTS (
         SELECT 1 FROM parked p WHERE p.stream = r.stream AND p.epoch = r.epoch AND p.position = r.position
           AND p.route = :route AND p.state <> 'dead'))`,
    );
  }

  /** Undefined when there is nothing. `again` when the route has had all of it, and was about to get it once more. */
  of({ route: name, stream: streamName, upTo }: Calls['missing']['argument']): Missed | undefined {
    const { streams, routes, replayEnds } = this.#tables;
    const route = routes.need(name);
    const { id: stream, trimmed } = streams.need(streamName);
    const cursor = routes.cursor(route, stream);
    // The route had been removed for a while, and retention has not waited for it.
    if (compareCursors(cursor, trimmed) < 0) return { again: false, gaps: whileAway(cursor, upTo) };
    const asked = { stream, route, cursor, trimmed, upTo };
    const gaps: Span[] = [];
    for (let first = this.#firstBehind(ORIGIN, asked); first; first = this.#firstBehind(endOf(first), asked)) {
      gaps.push(...this.#spansFrom(first, asked));
    }
    if (gaps.length === 0) return undefined;
    const end = replayEnds.at(route, stream)?.end;
    const isParked = this.#parked.get({ stream, route, ...range(ORIGIN, upTo) }) !== undefined;
    const again = !isParked && end !== undefined && compareCursors(upTo, end) <= 0;
    return { again, gaps: again ? gaps.filter(({ cause }) => cause === 'quota') : gaps };
  }

  #firstBehind(place: Cursor, { stream, route, cursor, upTo }: Asked): Cursor | undefined {
    const behind = compareCursors(place, cursor) < 0 ? cursor : place;
    const unread = this.#unread.get({ stream, ...range(behind, upTo) });
    const parked = this.#parked.get({ stream, route, ...range(place, upTo) });
    return [unread, parked].flatMap((row) => (row ? cursorOf(row) : [])).sort(compareCursors)[0];
  }

  /** Retention passes by what parked messages refer to, so that where it stands may be far behind the first of those. */
  #spansFrom(first: Cursor, { stream, route, cursor, trimmed, upTo }: Asked): Span[] {
    const { epoch } = first;
    const oneBelow = { epoch, position: positionBefore(first.position) };
    const kept = epoch === trimmed.epoch && compareCursors(trimmed, oneBelow) < 0 ? trimmed : oneBelow;
    const before = this.#last(stream, first) ?? kept;
    const last = epoch < upTo.epoch ? (this.#last(stream, endOf(first)) ?? first) : upTo;
    const own = range({ epoch, position: ORIGIN.position }, last);
    const told = this.#told.all({ stream, route, ...own, read: cursor.epoch, to: cursor.position });
    const spans = told.flatMap(({ data }) => spanOf(String(data)));
    const begins = spans.filter(({ cause }) => cause === 'quota').map(({ from }) => from);
    const from = begins.reduce(earlier, resourceVersionAt(before.position));
    const restored = spans.filter(({ cause }) => cause === 'restored');
    return [...restored, { cause: 'quota', from, to: resourceVersionAt(last.position) }];
  }

  #last(stream: number, { epoch, position }: Cursor): Cursor | undefined {
    const row = this.#before.get({ stream, epoch, position });
    return row && cursorOf(row);
  }
}

function range({ epoch, position }: Cursor, end: Cursor) {
  return { epoch, position, end: end.epoch, last: end.position };
}

function endOf({ epoch }: Cursor): Cursor {
  return { epoch, position: '~' as Position };
}

/** What stood there is gone. */
function whileAway(cursor: Cursor, upTo: Cursor): readonly Span[] {
  const [from, to] = [resourceVersionAt(cursor.position), resourceVersionAt(upTo.position)];
  if (cursor.epoch === upTo.epoch) return [{ cause: 'quota', from, to }];
  return [
    { cause: 'quota', from, to: undefined },
    { cause: 'quota', from: undefined, to },
  ];
}

/** Undefined is the beginning. */
function earlier(a: ResourceVersion | undefined, b: ResourceVersion | undefined): ResourceVersion | undefined {
  return a === undefined || b === undefined ? undefined : compareResourceVersions(a, b) < 0 ? a : b;
}

const ResourceVersionText = z.string().optional().transform(parseResourceVersion);
const Told = z.object({
  gap: z.object({ from: ResourceVersionText, to: ResourceVersionText, cause: z.string() }),
});

/** What a gap record tells of; nothing where it is damaged. */
function spanOf(data: string): Span[] {
  try {
    const { from, to, cause } = Told.parse(JSON.parse(data)).gap;
    return [{ cause: cause === 'restored' ? 'restored' : 'quota', from, to }];
  } catch {
    return [];
  }
}
