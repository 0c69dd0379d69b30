/** Images of a journal at several moments, as copies of its file and WAL; and the ways in which a disk may damage them. */
import { readFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { ALL_NAMESPACES, type Cursor, compareCursors, ORIGIN, type StreamName } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { JournalRecord, NewRecord, RouteName, StreamState } from '../../src/journal/record.ts';
import type { Random } from '../faults/random.ts';
import { cursorOf, event, never, open, type Place, parkedAt, readAll, routeName, rv, state } from './fixture.ts';

/** Two streams: the API server of one was restored, the other is being listed. */
const WEB = 'web' as StreamName;
const STREAMS = [ALL_NAMESPACES, WEB];
export const ROUTES = ['tail', 'parks', 'lags', 'new', 'removed'].map(routeName);
/** The start of a route; small, so that the WAL is checkpointed now and then. */
export const OPTIONS = { retainMs: 3_600_000, maxBytes: 8 * 1024 ** 2, sync: 'normal' } as const;
export const OPENED = { startFrom: 'oldest', atQuota: 'block' } as const;
const PAGE = 4_096;

export interface Image {
  readonly file: Buffer;
  readonly wal: Buffer;
  /** What was true when it was taken. */
  readonly truth: Truth;
}

export interface Album {
  /** In the order of time. */
  readonly images: readonly Image[];
  /** The first pages of the tables that decide, and of their indexes. */
  readonly roots: readonly number[];
}

/** By `placeOf`. */
export interface Truth {
  readonly written: ReadonlyMap<string, NewRecord>;
  /** What each route has yet to deliver or to bury, by its name. */
  readonly owed: ReadonlyMap<RouteName, ReadonlyMap<string, JournalRecord>>;
}

export function placeOf(stream: StreamName, { epoch, position }: Cursor): string {
  return `${stream} ${epoch} ${position}`;
}

/** Builds a journal's life, and takes images of it on the way. */
export class Life {
  readonly #place: Place;
  readonly #written = new Map<string, NewRecord>();
  readonly #owed = new Map<RouteName, Map<string, JournalRecord>>();
  readonly #images: Image[] = [];

  private constructor(place: Place) {
    this.#place = place;
  }

  static async of(place: Place): Promise<Album> {
    const life = new Life(place);
    await life.#young();
    await life.#busy();
    await life.#old();
    using db = new DatabaseSync(place.path, { readOnly: true });
    const names = "'streams', 'routes', 'cursors', 'parked', 'replays', 'passed_over'";
    const roots = db.prepare(`SELECT rootpage FROM sqlite_schema WHERE tbl_name IN (${names}) AND rootpage > 0`).all();
    return { images: life.#images, roots: roots.map(({ rootpage }) => Number(rootpage)) };
  }

  /** Stopped, with two routes, and with records that retention has deleted. */
  async #young(): Promise<void> {
    await using journal = await open(this.#place, { ...OPTIONS, retainMs: 0 });
    for (const route of ['tail', 'removed'].map(routeName)) await this.#openRoute(journal, route);
    for (let first = 1; first < 400; first += 50) await this.#append(journal, state(first + 49), first);
    await this.#deliver(journal, routeName('tail'));
    await this.#deliver(journal, routeName('removed'), 250);
    while ((await journal.stats()).records > 200) await new Promise((resolve) => setImmediate(resolve));
    await journal[Symbol.asyncDispose]();
    await this.#take();
  }

  /** Running, with everything under way and most of it in the WAL. */
  async #busy(): Promise<void> {
    await using journal = await open(this.#place, OPTIONS);
    for (const route of ROUTES) await this.#openRoute(journal, route);
    await journal.closeRoute(routeName('removed'));
    await this.#append(journal, state(450), 401);
    await this.#park(journal, routeName('parks'), 40);
    await this.#deliver(journal, routeName('lags'), 60);
    await this.#take();
    await this.#append(journal, state(60, { epoch: 2 }), 11);
    for (let first = 61; first < 500; first += 40) {
      await this.#append(journal, state(first + 39, { epoch: 2 }), first);
      await this.#deliver(journal, routeName('tail'));
    }
    await this.#take();
    const listing = { rv: rv(900), token: 'next', to: rv(900), gap: 'compacted', recovered: 0 } as const;
    await this.#append(journal, { ...state(520), stream: WEB }, 471);
    await this.#append(journal, { ...state(520, { listing }), stream: WEB }, 600);
    await this.#park(journal, routeName('parks'), 90);
    await this.#unpark(journal, routeName('parks'), 30);
    await this.#deliver(journal, routeName('tail'));
    await this.#take();
  }

  /** Stopped again. */
  async #old(): Promise<void> {
    {
      await using journal = await open(this.#place, OPTIONS);
      await this.#append(journal, state(560, { epoch: 2 }), 541);
      await this.#deliver(journal, routeName('lags'), 200);
    }
    await this.#take();
  }

  async #openRoute(journal: Journal, route: RouteName): Promise<void> {
    const { cursors } = await journal.openRoute(route, OPENED);
    if (this.#owed.has(route)) return;
    const readable = await readAll(journal, cursors.get(ALL_NAMESPACES));
    this.#owed.set(route, new Map(readable.map((record) => [placeOf(record.stream, record), record])));
  }

  async #append(journal: Journal, to: StreamState, first: number): Promise<void> {
    const last = Number(to.listing ? first + 49 : to.rv);
    const records = Array.from({ length: last - first + 1 }, (_, at) => event(first + at, 300));
    const [before] = (await journal.streams()).filter(({ stream }) => stream === to.stream);
    await journal.append({ records, state: to }, never);
    for (const record of records) {
      this.#written.set(placeOf(to.stream, { epoch: to.epoch, position: record.position }), record);
    }
    if (to.listing) return;
    const from = before && { epoch: before.epoch, position: event(before.rv ?? 1).position };
    const read = await readAll(journal, from ?? ORIGIN, { stream: to.stream });
    for (const record of read) for (const owed of this.#owed.values()) owed.set(placeOf(to.stream, record), record);
  }

  async #next(journal: Journal, route: RouteName, most: number): Promise<readonly JournalRecord[]> {
    const at = (await journal.routes()).find((one) => one.route === route)?.cursors;
    const all: JournalRecord[] = [];
    for (const stream of STREAMS) {
      const records = await readAll(journal, at?.get(stream) ?? ORIGIN, { stream });
      all.push(...records.slice(0, most - all.length));
    }
    return all;
  }

  async #deliver(journal: Journal, route: RouteName, most = 1_000): Promise<void> {
    const records = await this.#next(journal, route, most);
    await journal.settle({ ...settledUpTo(route, records), counters: counted(records, 'delivered') });
    for (const record of records) this.#owed.get(route)?.delete(placeOf(record.stream, record));
  }

  /** Every third is a dead letter. */
  async #park(journal: Journal, route: RouteName, most: number): Promise<void> {
    const records = await this.#next(journal, route, most);
    const parked = records.map((record, at) =>
      at % 3 === 0 ? parkedAt(record, { state: 'dead', reason: 'too-large' }) : parkedAt(record),
    );
    const dead = records.filter((_, at) => at % 3 === 0);
    const counters = { read: records.length, dead: dead.length };
    await journal.settle({ ...settledUpTo(route, records), receipts: [], counters, parked });
    for (const record of dead) this.#owed.get(route)?.delete(placeOf(record.stream, record));
  }

  async #unpark(journal: Journal, route: RouteName, most: number): Promise<void> {
    const rows = await journal.parked(route, {}, most);
    const counters = { delivered: rows.length };
    await journal.settle({ ...settledUpTo(route, []), counters, unparked: rows.map(({ id }) => id) });
    for (const { record } of rows) this.#owed.get(route)?.delete(placeOf(record.stream, record));
  }

  async #take(): Promise<void> {
    const { path } = this.#place;
    const wal = await readFile(`${path}-wal`).catch(() => Buffer.alloc(0));
    const owed = new Map([...this.#owed].map(([route, records]) => [route, new Map(records)]));
    this.#images.push({ file: await readFile(path), wal, truth: { written: new Map(this.#written), owed } });
  }
}

export function settledUpTo(route: RouteName, records: readonly JournalRecord[]) {
  const cursors = new Map<StreamName, Cursor>();
  for (const record of records) {
    const known = cursors.get(record.stream);
    if (!known || compareCursors(known, record) < 0) cursors.set(record.stream, cursorOf(record));
  }
  const receipts = records.map((record) => {
    return { stream: record.stream, cursor: cursorOf(record), receipt: { n: 1 }, deliveredAt: 0 };
  });
  return { route, cursors, counters: {}, receipts, parked: [], unparked: [] };
}

export function counted(records: readonly JournalRecord[], as: 'delivered' | 'dead') {
  return { read: records.length, [as]: records.length };
}

/** What a disk does to an image; the truth that it then has is that of the newest part of it. */
type Harm = (album: Album, random: Random) => Image;

function anyOf({ images }: Album, random: Random): Image {
  return random.pick(images.slice(1));
}

/** The file or the WAL, if there is one. */
function changed(image: Image, random: Random, change: (bytes: Buffer) => Buffer): Image {
  const inWal = image.wal.length > 0 && random.next() < 0.4;
  const bytes = change(Buffer.from(inWal ? image.wal : image.file));
  return inWal ? { ...image, wal: bytes } : { ...image, file: bytes };
}

function flip(bytes: Buffer, at: number, random: Random): void {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
}

function offsetsOf(text: string, bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) found.push(at);
  return found;
}

export const HARMS: Readonly<Record<string, Harm>> = {
  'torn at any byte': (album, random) => {
    const image = anyOf(album, random);
    return changed(image, random, (bytes) => bytes.subarray(0, random.between(1, bytes.length)));
  },
  'zeroed pages': (album, random) =>
    changed(anyOf(album, random), random, (bytes) => {
      for (let left = random.between(1, 4); left > 0; left -= 1) {
        const at = random.between(0, Math.ceil(bytes.length / PAGE) - 1) * PAGE;
        bytes.fill(0, at, Math.min(at + PAGE, bytes.length));
      }
      return bytes;
    }),
  'bits flipped anywhere': (album, random) =>
    changed(anyOf(album, random), random, (bytes) => {
      for (let left = random.between(1, 8); left > 0; left -= 1)
        flip(bytes, random.between(0, bytes.length - 1), random);
      return bytes;
    }),
  'a bit flipped in what decides': ({ images, roots }, random) => {
    const image = random.pick(images.filter(({ wal }) => wal.length === 0).slice(1));
    const file = Buffer.from(image.file);
    const page = (random.pick(roots) - 1) * PAGE;
    const used = Array.from({ length: PAGE }, (_, at) => page + at).filter((at) => file[at] !== 0);
    flip(file, random.pick(used), random);
    return { ...image, file };
  },
  // In the record, the index that leads to it, a cursor, a receipt: with the bytes that say what the text is.
  'a bit flipped beside a position': (album, random) => {
    const image = anyOf(album, random);
    const { position } = random.pick([...image.truth.written.values()]);
    return changed(image, random, (bytes) => {
      const found = offsetsOf(position, bytes);
      if (found.length > 0) flip(bytes, random.pick(found) + random.between(-6, position.length + 2), random);
      return bytes;
    });
  },
  'pages in an older version': ({ images }, random) => {
    const image = images.at(-1) ?? random.pick(images);
    const older = random.pick(images.slice(0, -1)).file;
    const file = Buffer.from(image.file);
    const pages = Array.from({ length: Math.floor(older.length / PAGE) }, (_, page) => page).filter(
      (page) => !older.subarray(page * PAGE, page * PAGE + PAGE).equals(file.subarray(page * PAGE, page * PAGE + PAGE)),
    );
    for (const page of random.shuffled(pages).slice(0, random.between(1, 8))) {
      older.copy(file, page * PAGE, page * PAGE, page * PAGE + PAGE);
    }
    return { ...image, file };
  },
  'frames of the WAL dropped': ({ images }, random) => {
    const image = random.pick(images.filter(({ wal }) => wal.length > 0));
    const frame = 24 + PAGE;
    const frames = Math.floor((image.wal.length - 32) / frame);
    const first = random.between(0, frames - 1);
    const behind = random.next() < 0.5 ? frames : Math.min(frames, first + random.between(1, 5));
    const wal = Buffer.concat([image.wal.subarray(0, 32 + first * frame), image.wal.subarray(32 + behind * frame)]);
    return { ...image, wal };
  },
  'a WAL of another moment': ({ images }, random) => {
    const [one, other] = [random.pick(images), random.pick(images.filter(({ wal }) => wal.length > 0))];
    const { truth } = images.indexOf(one) > images.indexOf(other) ? one : other;
    return { file: one.file, wal: other.wal, truth };
  },
};
