import { z } from 'zod';
import type { TruthRevision } from '../backends/truth.ts';
import { idOf } from './books.ts';
import type { Seen } from './seen.ts';

/** What a gap record says: in (from, to] some of the history could not be had; without `from`, since the beginning. */
export type Gap = z.infer<typeof Data>['gap'];

const Data = z.object({
  reason: z.literal('EventsGap'),
  gap: z.object({ stream: z.string(), from: z.string().optional(), to: z.string(), cause: z.string() }),
});

/** In the order in which they arrived, repeats dropped. */
export function gapsIn(seen: readonly Seen[]): readonly Gap[] {
  const records = seen.filter(({ type }) => type === 'kube-fanout.gap.v1');
  const byId = new Map(records.map(({ id, data }) => [id, Data.parse(data).gap]));
  return [...byId.values()];
}

/**
 * What nobody could deliver: revisions in a gap whose Event was written again, or deleted, before the list that ended the
 * gap could show them. That is before the list's snapshot, which is where the gap ends; or, where the snapshot itself was
 * compacted meanwhile, before the pages that came from the present instead (`presents`, their resourceVersions). The last
 * revision of an Event that lives is never one of them, nor is anything outside of a gap. Where etcd was restored from a
 * backup, what its old history had behind the checkpoint is gone as well; a gap record says so, and begins the next one.
 */
export function unrecoverable(
  truth: readonly TruthRevision[],
  gaps: readonly Gap[],
  presents: readonly bigint[] = [],
): ReadonlySet<string> {
  const histories = [...Map.groupBy(truth, ({ history }) => history).values()];
  const restores = gaps.flatMap(({ cause }, i) => (cause === 'restored' ? [i] : []));
  return new Set(
    histories.flatMap((revisions, i) => {
      const begin = i === 0 ? -1 : (restores[i - 1] ?? gaps.length);
      const end = i === histories.length - 1 ? gaps.length : (restores[i] ?? gaps.length);
      const own = gaps.slice(begin + 1, end).filter(({ cause }) => cause !== 'restored');
      const first = gaps.slice(Math.max(0, begin), begin + 1).map(({ from: _, ...gap }) => gap);
      const beyond = gaps.slice(end, end + 1).map(({ from = '0' }) => BigInt(from));
      const gone = revisions.filter(({ resourceVersion }) => beyond.some((from) => BigInt(resourceVersion) > from));
      return [...unseen(revisions, [...first, ...own], presents), ...gone.map(idOf)];
    }),
  );
}

/** Of one history. */
function unseen(truth: readonly TruthRevision[], gaps: readonly Gap[], presents: readonly bigint[]): string[] {
  const ends = gaps.map(({ to }) => BigInt(to));
  const reaches = gaps.map(({ from = '0' }, i) => {
    const to = ends[i] ?? 0n;
    const later = ends.filter((end) => end > to);
    // A page of the present that this gap's list got is older than the list that ended the next gap.
    const pages = presents.filter((page) => page > to && later.every((end) => page <= end));
    return { from: BigInt(from), to, shown: [to, ...pages] };
  });
  const next = new Map<string, bigint>();
  const lost: string[] = [];
  for (const revision of truth.toReversed()) {
    const at = BigInt(revision.resourceVersion);
    const replacedAt = next.get(revision.uid);
    next.set(revision.uid, at);
    if (revision.deleted || replacedAt === undefined) continue;
    const covers = ({ from, to, shown }: (typeof reaches)[number]) =>
      from < at && at <= to && shown.some((rv) => replacedAt <= rv);
    if (reaches.some(covers)) lost.push(idOf(revision));
  }
  return lost;
}
