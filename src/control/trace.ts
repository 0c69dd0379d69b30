import { z } from 'zod';
import type { JournalRecord } from '../journal/record.ts';
import { fate, fatesOf, iso, time } from './fate.ts';
import { gap, gapsOf, textsOf } from './gaps.ts';
import type { Inspected, Operation } from './operation.ts';

const what = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('object'),
    kinds: z.array(z.string()).readonly(),
    namespaces: z.array(z.string()).readonly().optional(),
    name: z.string(),
  }),
  z.strictObject({ kind: z.literal('id'), id: z.string() }),
]);

/** At most `limit` revisions, the newest. */
const argument = z.strictObject({ what, limit: z.int().min(1) });

const revision = z.object({
  kind: z.enum(['revision', 'gap']),
  /** Of the CloudEvent, as are the next four. */
  id: z.string(),
  sequence: z.string(),
  object: z.string(),
  origin: z.string(),
  occurredAt: z.string(),
  readAt: z.string(),
  /** When it was safe in the journal. */
  storedAt: time,
  stream: z.string(),
  epoch: z.int(),
  type: z.string().optional(),
  reason: z.string().optional(),
  note: z.string().optional(),
  count: z.int().optional(),
  /** False when its checksum in the journal does not fit it. */
  intact: z.boolean(),
  /** A route stands here twice when a record that it has delivered came again. */
  routes: z.array(z.intersection(z.object({ route: z.string() }), fate)),
});

const end = z.object({
  kind: z.literal('end'),
  revisions: z.int(),
  /** There are older ones. */
  more: z.boolean(),
  /** False on a stopped daemon’s file. */
  running: z.boolean(),
  /** Without the config nobody can tell what a route has filtered from what has expired. */
  config: z.boolean(),
  /** What was not observed of those streams: Events in there can be known to nobody. The newest first. */
  gaps: z.array(gap),
});

const item = z.discriminatedUnion('kind', [revision, end]);

type Argument = z.output<typeof argument>;
export type TraceItem = z.output<typeof item>;
export type TracedRevision = z.output<typeof revision>;

const NOTE_CHARACTERS = 1_000;
const GAPS = 5;

/** The newest revision first, and one item at the end. */
export const trace: Operation<Argument, TraceItem> = {
  argument,
  item,
  async *answer(inspected, { what, limit }) {
    const streams = new Set<string>();
    let revisions = 0;
    let more = false;
    for await (const page of inspected.journal.paperTrail.find(what)) {
      const wanted = page.slice(0, limit - revisions);
      for (const record of wanted) streams.add(record.stream);
      yield* await revisionsOf(inspected, wanted);
      revisions += wanted.length;
      more = page.length > wanted.length;
      if (more) break;
    }
    const gaps = await gapsOf(inspected.journal, GAPS, streams);
    const { running, explain } = inspected;
    yield { kind: 'end', revisions, more, running: running !== undefined, config: explain !== undefined, gaps };
  },
};

async function revisionsOf(inspected: Inspected, records: readonly JournalRecord[]): Promise<TracedRevision[]> {
  const { journal, running, explain } = inspected;
  const trails = await journal.paperTrail.of(records);
  return records.map((record, at) => {
    const { readable = true, routes = [] } = trails[at] ?? {};
    const fates = routes.flatMap((trail) => {
      const status = running?.routes.get(trail.route)?.status;
      const explanation = trail.removed ? undefined : explain?.(trail.route, record);
      return fatesOf({ record, readable, trail, explanation, status }).map((one) => ({ route: trail.route, ...one }));
    });
    return { ...revisionOf(record), routes: fates };
  });
}

function revisionOf(record: JournalRecord): Omit<TracedRevision, 'routes'> {
  const { attributes, kind, key, origin, stream, epoch, appendedAt, intact } = record;
  const { type, reason, note, count } = textsOf(record);
  return {
    kind: kind === 'gap' ? 'gap' : 'revision',
    id: attributes.id,
    sequence: attributes.sequence,
    object: key,
    origin,
    occurredAt: attributes.time,
    readAt: attributes.recordedtime,
    storedAt: iso(appendedAt),
    stream,
    epoch,
    type,
    reason,
    note: note?.slice(0, NOTE_CHARACTERS),
    count,
    intact,
  };
}
