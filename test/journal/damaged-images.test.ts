/**
 * A journal whose file or WAL a disk has damaged, in any way and anywhere: `IMAGES=10000 SEED=7`. Whatever was damaged,
 * nothing wrong is delivered, nothing is missing without a word, and the next start does not begin all over.
 */
import { writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ORIGIN, type StreamName } from '../../src/envelope/position.ts';
import { OwnerNote } from '../../src/journal/file-system.ts';
import { SqliteJournal } from '../../src/journal/journal.ts';
import { JournalFailed } from '../../src/journal/link.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { JournalRecord, NewRecord, RouteName, StreamState } from '../../src/journal/record.ts';
import { Random } from '../faults/random.ts';
import { DirectLink } from './direct-link.ts';
import { event, imbalance, never, type Place, parkedAt, routeState, rv, temporaryPlace } from './fixture.ts';
import {
  counted,
  HARMS,
  type Image,
  Life,
  OPENED,
  OPTIONS,
  placeOf,
  ROUTES,
  settledUpTo,
  type Truth,
} from './images.ts';

const IMAGES = Number(process.env.IMAGES ?? 300);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const log = pino({ level: 'silent' });

/** How it may end, and no other way. */
const OUTCOMES = [
  /** Nothing was missing, and nobody had to be told. */
  'whole',
  /** The newest commits are gone, all of them: what they held is read and delivered again. */
  'older',
  /** Nothing was missing but damaged records, and each is a dead letter. */
  'dead letters',
  /** Said in words, and what may be missing is announced, or comes twice. */
  'mended',
  /** The daemon ends when it comes upon the damage, and says what to do. */
  'ended in words',
  /** It does not start, and says what to do. */
  'refused in words',
] as const;
type Outcome = (typeof OUTCOMES)[number];

const WORDS =
  /the file is damaged|is not an SQLite database|is there without its journal|not a kube-fanout journal|written by another version/;

class Opened implements AsyncDisposable {
  readonly journal: Journal;
  readonly mended: readonly string[];

  private constructor(journal: Journal, mended: readonly string[]) {
    this.journal = journal;
    this.mended = mended;
  }

  static async at({ path }: Place): Promise<Opened> {
    const link = new DirectLink();
    const opened = await link.open(path, OPTIONS.maxBytes);
    const settings = { path, ...OPTIONS, cluster: 'test', log, idle: true };
    return new Opened(new SqliteJournal(settings, link, opened, new OwnerNote(path)), opened.mended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.journal[Symbol.asyncDispose]();
    } catch (error) {
      inWords(error);
    }
  }
}

/** What one route gets, and what it is told of. */
interface Delivered {
  readonly places: Set<string>;
  readonly gaps: { readonly stream: string; readonly from: bigint; readonly to: bigint }[];
  dead: number;
}

function take(record: JournalRecord, to: Delivered, { written }: Truth): void {
  if (record.kind === 'gap') {
    const { gap } = JSON.parse(Buffer.from(record.data).toString());
    to.gaps.push({ stream: gap.stream, from: BigInt(gap.from ?? 0), to: BigInt(gap.to ?? 2n ** 128n) });
    return;
  }
  const place = placeOf(record.stream, record);
  expect(contentOf(record), `what is delivered at ${place} was written`).toEqual(contentOf(written.get(place)));
  to.places.add(place);
}

function contentOf(record: NewRecord | undefined) {
  if (record === undefined) return undefined;
  const { key, kind, origin, attributes, data } = record;
  return { key, kind, origin, attributes, data: Buffer.from(data).toString() };
}

async function readFrom(journal: Journal, route: RouteName, stream: StreamName): Promise<readonly JournalRecord[]> {
  const at = (await routeState(journal, route)).cursors.get(stream) ?? ORIGIN;
  return journal.read(stream, at, { records: 100, bytes: 1024 ** 2 });
}

/** As a route does: what is damaged is a dead letter. */
async function drainStream(journal: Journal, route: RouteName, stream: StreamName, to: Delivered, truth: Truth) {
  for (let records = await readFrom(journal, route, stream); records.length > 0; ) {
    const [intact, damaged] = [records.filter((record) => record.intact), records.filter((record) => !record.intact)];
    for (const record of intact) take(record, to, truth);
    for (const record of damaged) to.places.add(placeOf(stream, record));
    to.dead += damaged.length;
    const counters = { ...counted(records, 'delivered'), delivered: intact.length, dead: damaged.length };
    await journal.settle({ ...settledUpTo(route, records), counters, parked: damaged.map(buried) });
    records = await readFrom(journal, route, stream);
  }
}

async function drainParked(journal: Journal, route: RouteName, to: Delivered, truth: Truth): Promise<void> {
  for (let rows = await journal.parked(route, {}, 100); rows.length > 0; rows = await journal.parked(route, {}, 100)) {
    const [intact, damaged] = [rows.filter(({ record }) => record.intact), rows.filter(({ record }) => !record.intact)];
    for (const { record } of intact) take(record, to, truth);
    for (const { record } of damaged) to.places.add(placeOf(record.stream, record));
    to.dead += damaged.length;
    await journal.settle({
      ...settledUpTo(route, []),
      counters: { delivered: intact.length, dead: damaged.length },
      parked: damaged.map(({ record }) => buried(record)),
      unparked: rows.map(({ id }) => id),
    });
  }
}

function buried(record: JournalRecord) {
  return parkedAt(record, { state: 'dead', reason: 'corrupt-record' });
}

/** The source goes on where the journal says, in every stream; what it then brings is read. */
async function goOn(journal: Journal): Promise<void> {
  for (const state of await journal.streams()) {
    const next = String(BigInt(state.listing?.to ?? state.rv ?? 0) + 10_000n);
    await journal.append({ records: [event(next)], state: { ...state, listing: undefined, rv: rv(next) } }, never);
  }
}

async function lives(journal: Journal, truth: Truth): Promise<Map<RouteName, Delivered>> {
  const delivered = new Map<RouteName, Delivered>();
  for (const route of ROUTES) {
    const to: Delivered = { places: new Set(), gaps: [], dead: 0 };
    delivered.set(route, to);
    await journal.openRoute(route, OPENED);
    for (const { stream } of await journal.streams()) await drainStream(journal, route, stream, to, truth);
    await drainParked(journal, route, to, truth);
    for (const { reason, stream, cursor } of (await Array.fromAsync(journal.deadLetters.find({ route }))).flat()) {
      if (reason === 'corrupt-record') to.places.add(placeOf(stream, cursor));
    }
  }
  return delivered;
}

/** What is owed and was not delivered: announced, to be read again by the source, or missing. */
async function undelivered(journal: Journal, truth: Truth, delivered: Map<RouteName, Delivered>) {
  const states = new Map((await journal.streams()).map((state) => [state.stream, state]));
  const found = { missing: [] as string[], again: 0 };
  for (const [route, owed] of truth.owed) {
    const { places = new Set(), gaps = [] } = delivered.get(route) ?? {};
    for (const [place, record] of owed) {
      if (places.has(place) || gaps.some((gap) => covers(gap, record))) continue;
      if (willBeRead(record, states.get(record.stream))) found.again += 1;
      else found.missing.push(`${route} ${place}`);
    }
  }
  return found;
}

function covers({ stream, from, to }: Delivered['gaps'][number], record: JournalRecord): boolean {
  const version = versionOf(record);
  return stream === record.stream && from < version && version <= to;
}

/** The source reads on from there; from the first revision of all it lists everything, and announces a gap. */
function willBeRead(record: JournalRecord, state: StreamState | undefined): boolean {
  if (state === undefined || state.rv === '1' || record.epoch > state.epoch) return true;
  return record.epoch === state.epoch && versionOf(record) > BigInt(state.rv ?? 0);
}

function versionOf({ position }: JournalRecord): bigint {
  return BigInt(position.slice(2).replace('!', ''));
}

async function outcomeOf(place: Place, image: Image): Promise<Outcome> {
  const opened = await Opened.at(place).catch(inWords);
  if (typeof opened === 'string') return 'refused in words';
  await using all = opened;
  const { journal, mended } = all;
  try {
    const delivered = await lives(journal, image.truth);
    const { missing, again } = await undelivered(journal, image.truth, delivered);
    expect(missing, 'what is owed is delivered, dead or announced').toEqual([]);
    expect((await journal.routes()).map(imbalance)).toEqual(ROUTES.map(() => 0));
    await goOn(journal);
    if (mended.length > 0) return 'mended';
    if (again > 0) return 'older';
    return [...delivered.values()].some(({ dead }) => dead > 0) ? 'dead letters' : 'whole';
  } catch (error) {
    inWords(error);
    return 'ended in words';
  }
}

function inWords(error: unknown): string {
  if (!(error instanceof JournalFailed)) throw error;
  expect(error.message).toMatch(WORDS);
  return error.message;
}

/** The same file again, as whoever runs the daemon starts it again. */
async function startsAgain(place: Place, before: Outcome): Promise<void> {
  const again = await Opened.at(place).catch(inWords);
  if (typeof again === 'string') {
    expect(['refused in words', 'ended in words']).toContain(before);
    return;
  }
  await using all = again;
  expect(before).not.toBe('refused in words');
  if (before !== 'ended in words') expect(all.mended, 'what was mended stays so').toEqual([]);
}

async function put(place: Place, { file, wal }: Image): Promise<void> {
  await writeFile(place.path, file);
  await writeFile(`${place.path}-wal`, wal);
}

test('whatever a disk has damaged, nothing wrong is delivered, nothing is missing without a word, and no start is in vain twice', {
  timeout: 120_000 + IMAGES * 2_000,
}, async () => {
  await using grown = await temporaryPlace();
  const album = await Life.of(grown);
  await using place = await temporaryPlace();
  const harms = Object.entries(HARMS);
  const counts = new Map(harms.map(([name]) => [name, new Map<Outcome, number>()]));
  for (let number = 0; number < IMAGES; number += 1) {
    const [name, harm] = harms[number % harms.length] ?? expect.unreachable();
    const random = new Random(SEED + 7_919 * number);
    for (let warm = 0; warm < 5; warm += 1) random.next();
    const image = harm(album, random);
    await put(place, image);
    try {
      const outcome = await outcomeOf(place, image);
      expect(OUTCOMES).toContain(outcome);
      await startsAgain(place, outcome);
      const of = counts.get(name) ?? expect.unreachable();
      of.set(outcome, (of.get(outcome) ?? 0) + 1);
    } catch (error) {
      throw new Error(`image ${number} of seed ${SEED}, ${name}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  for (const [name, of] of counts) process.stdout.write(`${name}: ${[...of].map((one) => one.join(' ')).join(', ')}\n`);
  const seen = new Set([...counts.values()].flatMap((of) => [...of.keys()]));
  expect(
    OUTCOMES.filter((outcome) => !seen.has(outcome)),
    'each way to end was seen',
  ).toEqual([]);
});
