import type { DatabaseSync } from 'node:sqlite';
import { compareCursors, type Position, positionOf } from '../envelope/position.ts';
import type { PassedOver } from './passed-over.ts';
import type { Changes } from './protocol.ts';
import type { ReplayAnswer, ReplayedStream, ReplayFrom } from './record.ts';
import { cursorOf, type Records } from './records.ts';
import type { ReplayEnds } from './replay-ends.ts';
import type { Routes } from './routes.ts';
import type { Stream, Streams } from './streams.ts';
import { visibleEnd } from './watermark.ts';

interface Tables {
  readonly streams: Streams;
  readonly routes: Routes;
  readonly records: Records;
  readonly passedOver: PassedOver;
  readonly replayEnds: ReplayEnds;
}

/** Where a replay begins, as the file understands it. */
type From = Exclude<ReplayFrom, { kind: 'position' }> | { readonly kind: 'position'; readonly position: Position };
type First = ReplayedStream['first'];

/**
 * Moves a route's cursors back over what the journal still has, and notes up to where that is a replay: all in the
 * transaction that it is called in, so that there is no moment at which they disagree.
 */
export class Replay {
  readonly #tables: Tables;
  readonly #first;
  readonly #exact;
  readonly #there;
  readonly #before;
  readonly #count;
  readonly #row;
  readonly #ids;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#tables = tables;
    const range = 'stream = ? AND (epoch, position) > (?, ?) AND (epoch, position) <= (?, ?)';
    // By the index alone, which holds the ids too: some 20 ms for a million records.
    this.#first = db.prepare(
      `SELECT epoch, position, appended_at FROM records INDEXED BY records_place
       WHERE ${range} AND epoch >= ? AND position >= ? AND id >= ? ORDER BY epoch, position LIMIT 1`,
    );
    this.#exact = db.prepare(
      `SELECT epoch, position, appended_at FROM records WHERE ${range} AND position = ? ORDER BY epoch DESC LIMIT 1`,
    );
    this.#there = db.prepare('SELECT 1 FROM records WHERE position = ? LIMIT 1');
    this.#before = db.prepare(
      `SELECT epoch, position FROM records WHERE stream = ? AND (epoch, position) < (?, ?)
       ORDER BY epoch DESC, position DESC LIMIT 1`,
    );
    this.#count = db.prepare(`SELECT count(*) AS count FROM records WHERE ${range}`);
    this.#row = db.prepare('SELECT id, appended_at FROM records WHERE id >= ? ORDER BY id LIMIT 1');
    this.#ids = db.prepare('SELECT min(id) AS low, max(id) AS high FROM records');
  }

  replay({ route: name, from: asked, now }: Changes['replay']['argument']): ReplayAnswer {
    const { routes, streams } = this.#tables;
    const route = routes.find(name);
    if (route === undefined) return { refused: `the journal has no route ${name}` };
    if (route.removed) return { refused: `route ${name} is no longer in the config, and sends nothing` };
    if (asked.kind === 'time' && asked.at > now) return { refused: `${iso(asked.at)} is in the future` };
    const from = this.#meant(asked);
    const gone = streams.all().filter((stream) => isGone(stream, from));
    if (gone.length > 0) return { refused: this.#goneText(gone) };
    const found = this.#find(from);
    const starts = found.filter(({ stream, first }) => compareCursors(first, routes.cursor(route.id, stream.id)) <= 0);
    if (starts.length === 0) return { refused: this.#nothingText(name, found) };
    const begun = { route: route.id, number: routes.nextReplay(route.id), askedAt: now };
    return { number: begun.number, streams: starts.map((start) => this.#begin(start, begun)) };
  }

  #begin(
    { stream: { id, state, trimmed }, first }: { readonly stream: Stream; readonly first: First },
    { route, number, askedAt }: { readonly route: number; readonly number: number; readonly askedAt: number },
  ): ReplayedStream {
    const { routes, records, replayEnds, passedOver } = this.#tables;
    const stood = routes.cursor(route, id);
    const row = this.#before.get(id, first.epoch, first.position);
    // A record that a dead letter has kept may stand before what retention has left.
    const cursor = row && compareCursors(cursorOf(row), trimmed) > 0 ? cursorOf(row) : trimmed;
    // One that is under way ends where it would have; what is before its end has been sent, or is sent, as a replay.
    const end = replayEnds.at(route, id)?.end ?? records.newest(id, stood) ?? stood;
    const count = this.#count.get(id, cursor.epoch, cursor.position, end.epoch, end.position)?.count;
    routes.moveBack(route, id, cursor);
    replayEnds.set(route, id, { end, number, askedAt });
    passedOver.forgetBehind(route, id, cursor);
    return { stream: state.stream, cursor, end, first, number, askedAt, records: Number(count) };
  }

  /** Some sequences are resourceVersions too: what is there is meant. */
  #meant(from: ReplayFrom): From {
    if (from.kind !== 'position') return from;
    const [first = '' as Position, ...others] = from.positions;
    const there = others.length > 0 ? from.positions.find((position) => this.#there.get(position)) : undefined;
    return { kind: 'position', position: there ?? first };
  }

  /** In each stream that has something from there on, the first record of it. */
  #find(from: From): { readonly stream: Stream; readonly first: First }[] {
    const id = from.kind === 'time' ? this.#firstSince(from.at) : 0;
    return this.#tables.streams.all().flatMap((stream) => {
      const first = this.#firstOf(stream, from, id);
      return first ? { stream, first } : [];
    });
  }

  /** A resourceVersion is one of the history that the API server goes on with, or one that an older history has. */
  #firstOf(stream: Stream, from: From, id: number): First | undefined {
    const epoch = from.kind === 'position' ? stream.history : 0;
    const position = from.kind === 'position' ? from.position : '';
    const range = readable(stream);
    const row = this.#first.get(...range, epoch, position, id);
    if (row || from.kind !== 'position') return row && firstOf(row);
    const older = this.#exact.get(...range, position);
    return older && firstOf(older);
  }

  /** Ids are given in the order of time: the first record that was appended then or later is found by halving. */
  #firstSince(at: number): number {
    const ids = this.#ids.get();
    let [low, high] = [Number(ids?.low ?? 0), Number(ids?.high ?? 0) + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#row.get(middle);
      if (row === undefined || Number(row.appended_at) >= at) high = middle;
      else low = Number(row.id) + 1;
    }
    return low;
  }

  #goneText(gone: readonly Stream[]): string {
    const oldest = gone.map((stream) => {
      const first = this.#firstOf(stream, { kind: 'oldest' }, 0);
      return `${stream.state.stream} ${first ? placeText(first) : 'has nothing left'}`;
    });
    return (
      'not all from there on is in the journal any more (journal.retain and maxSize say how much is kept). ' +
      `The oldest that is left: ${oldest.join('; ')}. --from oldest sends all of it again`
    );
  }

  #nothingText(route: string, found: readonly { readonly stream: Stream; readonly first: First }[]): string {
    const ahead = found.map(({ stream: { state }, first }) => `${state.stream} ${placeText(first)}`);
    if (ahead.length > 0) {
      return `route ${route} has all from there on still before it, and sends it anyway: ${ahead.join('; ')}`;
    }
    const newest = this.#tables.streams.all().flatMap(({ id, state }) => {
      const last = this.#tables.records.newest(id, visibleEnd(state));
      return last ? `${state.stream} ${last.position}` : [];
    });
    return newest.length === 0
      ? 'the journal holds no record'
      : `nothing from there on is in the journal: the newest is ${newest.join('; ')}`;
  }
}

/** Whether something from there on has been deleted. */
function isGone({ state: { floor }, trimmedAt }: Stream, from: From): boolean {
  if (from.kind === 'time') return trimmedAt >= from.at;
  return from.kind === 'position' && floor !== undefined && positionOf(floor) >= from.position;
}

function readable({ id, state, trimmed }: Stream): [number, number, string, number, string] {
  const end = visibleEnd(state);
  return [id, trimmed.epoch, trimmed.position, end.epoch, end.position];
}

function firstOf(row: Record<string, unknown>): First {
  return { ...cursorOf(row), appendedAt: Number(row.appended_at) };
}

function placeText({ position, appendedAt }: First): string {
  return `${position}, stored ${iso(appendedAt)}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
