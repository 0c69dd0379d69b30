/** What became of every revision on one route: each is in exactly one class, so the classes add up to the truth. */
import { idOf } from '../main-job/books.ts';
import { unrecoverable } from '../main-job/gaps.ts';
import type { History, RouteHistory } from './history.ts';

const CLASSES = [
  /** A subscriber has it. */
  'delivered',
  /** It waits to be looked at by a person. */
  'dead',
  /** The route does not want it. */
  'filtered',
  /** The route has let go of it at the quota, and a gap record says so. */
  'expired',
  /** The API server had it no longer when it was asked, and a gap record says so, if there was a journal to know it. */
  'unrecoverable',
  /** The broker has acknowledged it, and does not have it. */
  'lost by broker',
  /** Readable, and not delivered: the promise is broken. */
  'missing',
] as const;
export type Class = (typeof CLASSES)[number];

export interface Classified {
  readonly of: ReadonlyMap<string, Class>;
  readonly counts: Readonly<Record<Class, number>>;
}

export function classify(
  history: Pick<History, 'truth' | 'journal' | 'presents' | 'forgotten'>,
  route: RouteHistory,
): Classified {
  const seen = new Set(route.seen.map(({ id }) => id));
  const { acknowledged, dead } = history.journal.routes.get(route.route) ?? { acknowledged: NONE, dead: NONE };
  const atQuota = route.gaps.filter(({ cause }) => cause === 'quota');
  const ofSource = route.gaps.filter(({ cause }) => cause !== 'quota');
  const lost = unrecoverable(history.truth, [...ofSource, ...history.forgotten], history.presents);
  const inGap = (rv: bigint) => atQuota.some(({ from = '0', to }) => BigInt(from) < rv && rv <= BigInt(to));
  const of = new Map<string, Class>();
  for (const revision of history.truth) {
    if (revision.deleted) continue;
    const id = idOf(revision);
    if (seen.has(id)) of.set(id, 'delivered');
    else if (!route.takes(revision)) of.set(id, 'filtered');
    else if (dead.has(id)) of.set(id, 'dead');
    else if (acknowledged.has(id)) of.set(id, 'lost by broker');
    else if (lost.has(id)) of.set(id, 'unrecoverable');
    else if (inGap(BigInt(revision.resourceVersion))) of.set(id, 'expired');
    else of.set(id, 'missing');
  }
  const count = (one: Class) => [...of.values()].filter((each) => each === one).length;
  return { of, counts: Object.fromEntries(CLASSES.map((one) => [one, count(one)])) as Record<Class, number> };
}

const NONE: ReadonlyMap<string, string> = new Map();
