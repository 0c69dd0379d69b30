import type { TruthRevision } from '../backends/truth.ts';
import type { Seen } from './seen.ts';

/** What became of every revision that etcd stored, on one route. */
export interface Books {
  readonly route: string;
  readonly revisions: number;
  readonly delivered: number;
  readonly dead: number;
  /** Not delivered because the API server had it no longer, as a gap record says. */
  readonly unrecoverable: number;
  readonly missing: readonly string[];
  readonly repeated: number;
  /** Events that came after a newer one of the same object, repeats dropped. */
  readonly disorder: readonly string[];
  /** Delivered, and never written. */
  readonly unknown: readonly string[];
}

export interface Evidence {
  readonly truth: readonly TruthRevision[];
  readonly seen: readonly Seen[];
  /** Ids of the dead letters. */
  readonly dead?: ReadonlySet<string>;
  /** Ids of what nobody could deliver; see gaps.ts. */
  readonly lost?: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

export function booksOf(route: string, { truth, seen, dead = NONE, lost = NONE }: Evidence): Books {
  const written = new Set(truth.filter(({ deleted }) => !deleted).map(idOf));
  const events = seen.filter(({ type }) => type === 'kube-fanout.event.v1');
  const ids = new Set(events.map(({ id }) => id));
  const undelivered = [...written].filter((id) => !ids.has(id) && !dead.has(id));
  return {
    route,
    revisions: written.size,
    delivered: [...ids].filter((id) => written.has(id)).length,
    dead: [...dead].filter((id) => written.has(id)).length,
    unrecoverable: undelivered.filter((id) => lost.has(id)).length,
    missing: undelivered.filter((id) => !lost.has(id)),
    repeated: events.length - ids.size,
    disorder: disorderIn(events),
    unknown: [...ids].filter((id) => !written.has(id)),
  };
}

export function idOf({ uid, resourceVersion }: TruthRevision): string {
  return `${uid}.${resourceVersion}`;
}

/** Ids of those that came after a newer one of the same place, repeats dropped; a place is a key within a part. */
export function disorderIn(
  events: readonly Seen[],
  placeOf = ({ part, partitionkey }: Seen) => `${part}\n${partitionkey}`,
): string[] {
  const known = new Set<string>();
  const newest = new Map<string, string>();
  return events.flatMap((event) => {
    const { id, sequence } = event;
    if (known.has(id)) return [];
    known.add(id);
    const place = placeOf(event);
    const before = newest.get(place) ?? '';
    if (before < sequence) newest.set(place, sequence);
    return before < sequence ? [] : [id];
  });
}

export function tableOf(books: readonly Books[]): string {
  const rows = books.map((one) => ({
    route: one.route,
    revisions: one.revisions,
    delivered: one.delivered,
    dead: one.dead,
    unrecoverable: one.unrecoverable,
    missing: one.missing.length,
    repeated: one.repeated,
    disorder: one.disorder.length,
  }));
  const heads = [
    'route',
    'revisions',
    'delivered',
    'dead',
    'unrecoverable',
    'missing',
    'repeated',
    'disorder',
  ] as const;
  const line = (cells: readonly (string | number)[]) => cells.map((cell) => String(cell).padStart(13)).join(' ');
  return [line(heads), ...rows.map((row) => line(heads.map((head) => row[head])))].join('\n');
}
