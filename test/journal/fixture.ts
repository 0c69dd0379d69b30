/** What the journal's tests share: a directory that goes away, records by number, and a route that is read to its end. */
import { statfsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { gapRecord } from '../../src/envelope/gap.ts';
import {
  ALL_NAMESPACES,
  type Cursor,
  ORIGIN,
  parseResourceVersion,
  positionOf,
  type ResourceVersion,
  type StreamName,
} from '../../src/envelope/position.ts';
import { type OpenOptions, openJournal } from '../../src/journal/open.ts';
import type { Journal } from '../../src/journal/port.ts';
import type {
  DeadLetter,
  JournalRecord,
  NewRecord,
  Parked,
  RouteName,
  RouteState,
  StreamState,
} from '../../src/journal/record.ts';

export const never = new AbortController().signal;

export interface Place extends AsyncDisposable {
  readonly directory: string;
  readonly path: string;
}

export async function temporaryPlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'kube-fanout-journal-'));
  return {
    directory,
    path: join(directory, 'journal.db'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A program that fills its disk must not be given a real one. */
export function onlyOnSmallDisk(directory: string): void {
  const { blocks, bsize } = statfsSync(directory);
  if (blocks * bsize > 1024 ** 3)
    throw new Error(`${directory} is on a disk of more than 1 GiB, which nobody wants filled`);
}

export function open(place: Pick<Place, 'path'>, options: Partial<OpenOptions> = {}, signal?: AbortSignal) {
  const defaults = { retainMs: 3_600_000, maxBytes: 1024 ** 3, sync: 'normal', cluster: 'test' } as const;
  return openJournal({ path: place.path, ...defaults, log: pino({ level: 'silent' }), ...options }, signal);
}

export function rv(value: number | string): ResourceVersion {
  const parsed = parseResourceVersion(String(value));
  if (parsed === undefined) throw new Error(`${value} is not a resourceVersion`);
  return parsed;
}

export function routeName(name: string): RouteName {
  return name as RouteName;
}

/** The Event with this resourceVersion; `size` bytes of data. */
export function event(value: number | string, size = 64): NewRecord {
  const version = rv(value);
  const key = `Pod/web/pod-${Number(version) % 7}`;
  const data = Buffer.from(JSON.stringify({ rv: version, note: 'x'.repeat(size) }));
  return {
    position: positionOf(version),
    kind: 'event',
    key,
    origin: 'live',
    attributes: {
      specversion: '1.0',
      id: `uid.${version}`,
      source: '/clusters/test',
      type: 'kube-fanout.event.v1',
      subject: key,
      partitionkey: key,
      time: '2026-11-01T10:00:00.000000Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:kube-fanout:event:v1',
      sequence: positionOf(version),
      cluster: 'test',
      recordedtime: '2026-11-01T10:00:00.000Z',
    },
    data,
  };
}

export function gap(to: number): NewRecord {
  const now = new Date('2026-11-01T10:00:00Z');
  return gapRecord({
    cluster: 'test',
    stream: ALL_NAMESPACES,
    from: undefined,
    to: rv(to),
    cause: 'compacted',
    recovered: 0,
    now,
  });
}

export function state(value: number | undefined, rest: Partial<StreamState> = {}): StreamState {
  const position = value === undefined ? undefined : rv(value);
  return { stream: ALL_NAMESPACES, epoch: 1, rv: position, floor: undefined, listing: undefined, ...rest };
}

/** Appends the Events from `first` to `last` as the watch would. */
export function appendLive(journal: Journal, first: number, last: number, size?: number) {
  const records = Array.from({ length: last - first + 1 }, (_, index) => event(first + index, size));
  return journal.append({ records, state: state(last) }, never);
}

export function cursorOf({ epoch, position }: Cursor): Cursor {
  return { epoch, position };
}

/** All that can be read behind `after`, page by page. */
export async function readAll(
  journal: Journal,
  after: Cursor = ORIGIN,
  { records = 100, stream = ALL_NAMESPACES }: { readonly records?: number; readonly stream?: StreamName } = {},
): Promise<JournalRecord[]> {
  const all: JournalRecord[] = [];
  for (let from = after; ; ) {
    const page = await journal.read(stream, from, { records, bytes: 1024 * 1024 });
    const last = page.at(-1);
    if (!last) return all;
    all.push(...page);
    from = cursorOf(last);
  }
}

export function versions(records: readonly JournalRecord[]): string[] {
  return records.map(({ position }) => position.slice(2));
}

export function parkedAt(record: JournalRecord, options: Partial<Parked> = {}): Parked {
  return {
    stream: record.stream,
    cursor: cursorOf(record),
    destination: 'topic',
    key: record.key,
    state: 'held',
    reason: 'no-such-destination',
    detail: 'no such topic',
    parkedAt: 0,
    replay: 0,
    ...options,
  };
}

/** 0 when the books balance. */
export function imbalance({ counters, pending }: RouteState): number {
  const { read, delivered, filtered, limited, dead, expired } = counters;
  return read - (delivered + filtered + limited + dead + expired + pending);
}

/** Settles all that the route has before it as delivered. */
export async function drain(journal: Journal, route: RouteName): Promise<readonly JournalRecord[]> {
  const before = await routeState(journal, route);
  const records = await readAll(journal, before.cursors.get(ALL_NAMESPACES));
  if (records.length > 0) await deliver(journal, route, records);
  return records;
}

/** All of these, which stand behind the route's cursor, and no others. */
export async function deliver(journal: Journal, route: RouteName, records: readonly JournalRecord[]): Promise<void> {
  const last = records.at(-1);
  if (!last) throw new Error('there is nothing to deliver');
  await journal.settle({
    route,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(last)]]),
    counters: { read: records.length, delivered: records.length },
    receipts: records.map((record) => ({
      stream: ALL_NAMESPACES,
      cursor: cursorOf(record),
      receipt: { n: 1 },
      deliveredAt: 0,
    })),
    parked: [],
    unparked: [],
  });
}

export async function routeState(journal: Journal, route: RouteName): Promise<RouteState> {
  const found = (await journal.routes()).find((state) => state.route === route);
  if (!found) throw new Error(`no route ${route}`);
  return found;
}

/** The next so many records of the route become dead letters. */
export async function die(journal: Journal, route: RouteName, n: number, rest: Partial<Parked> = {}): Promise<void> {
  const { cursors } = await routeState(journal, route);
  const records = (await readAll(journal, cursors.get(ALL_NAMESPACES) ?? ORIGIN)).slice(0, n);
  const last = records.at(-1);
  if (!last) throw new Error('there is nothing to die');
  await journal.settle({
    route,
    cursors: new Map([[ALL_NAMESPACES, cursorOf(last)]]),
    counters: { read: records.length, dead: records.length },
    receipts: [],
    parked: records.map((record) => parkedAt(record, { state: 'dead', reason: 'too-large', ...rest })),
    unparked: [],
  });
}

/** The oldest first. */
export async function deadLettersOf(journal: Journal, route: RouteName): Promise<DeadLetter[]> {
  return (await Array.fromAsync(journal.deadLetters.find({ route }))).flat();
}

export async function recordsLeft(journal: Journal): Promise<number> {
  return (await journal.stats()).records;
}
