import type { ZodType } from 'zod';
import type { RouteStatus } from '../delivery/route-worker.ts';
import type { Journal } from '../journal/port.ts';
import type { JournalRecord, ReplayAnswer, ReplayFrom, RouteName } from '../journal/record.ts';
import type { Explanation } from '../routing/route.ts';
import type { StreamStatus } from '../source/status.ts';

/** A journal, and what runs on it; nothing does when the command line has opened the file of a stopped daemon. */
export interface Inspected {
  readonly journal: Journal;
  readonly running: Running | undefined;
  /** Which part of a route's config decides about a record; not there where nobody knows the config. */
  readonly explain?: Explain | undefined;
}

/** Undefined for a route that the config does not have. */
export type Explain = (route: RouteName, record: JournalRecord) => Explanation | undefined;

interface RunningRoute {
  readonly broker: string;
  readonly status: RouteStatus;
  replay(from: ReplayFrom): Promise<ReplayAnswer>;
}

interface Running {
  readonly routes: ReadonlyMap<RouteName, RunningRoute>;
  readonly streams: readonly StreamStatus[];
}

/**
 * One thing that can be asked. Argument and items are plain JSON, checked on both sides: the daemon may be older or newer
 * than the command line. A long answer is read and sent in pieces, so that it never stands in memory as a whole.
 */
export interface Operation<Argument, Item> {
  readonly argument: ZodType<Argument>;
  readonly item: ZodType<Item>;
  answer(inspected: Inspected, argument: Argument): AsyncIterable<Item>;
}

/** The answer is no, in words for whoever asked: no such route, no such dead letter. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
