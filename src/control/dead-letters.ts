import { z } from 'zod';
import type { DeadLetter, JournalRecord } from '../journal/record.ts';
import { filter, fitting, noneOf } from './dead-letter-filter.ts';
import { iso, time } from './fate.ts';
import { type Operation, Refusal } from './operation.ts';

const letter = z.object({
  kind: z.literal('dead-letter'),
  id: z.int(),
  route: z.string(),
  reason: z.string(),
  detail: z.string(),
  /** Empty when it has died before it had one. */
  destination: z.string(),
  /** When it became a dead letter. */
  at: time,
  /** The number of the replay that it has died in; without it, it was sent for the first time. */
  replay: z.int().optional(),
  /** Of the CloudEvent, as are the next three; empty where the record is damaged. */
  eventId: z.string(),
  object: z.string(),
  eventReason: z.string().optional(),
  occurredAt: z.string().optional(),
  /** Of its data. */
  bytes: z.int(),
});

const end = z.object({
  kind: z.literal('end'),
  /** How many fit. */
  count: z.int(),
  /** Older ones were left out. */
  more: z.boolean(),
  counts: z.array(z.object({ route: z.string(), reason: z.string(), count: z.int() })),
  /** False on a stopped daemon’s file. */
  running: z.boolean(),
});

const listed = z.discriminatedUnion('kind', [letter, end]);
const whole = letter.extend({
  /** False when its checksum in the journal does not fit it. */
  intact: z.boolean(),
  /** In the JSON format of CloudEvents; of a damaged one, `data_base64` is what is left of its data. */
  cloudEvent: z.record(z.string(), z.unknown()),
});

export type ListedDeadLetter = z.output<typeof letter>;
export type DeadLetterItem = z.output<typeof listed>;
export type WholeDeadLetter = z.output<typeof whole>;

const listArgument = z.strictObject({ filter, limit: z.int().min(1) });

/** The newest first, at most `limit`, and one item at the end. */
export const deadLetters: Operation<z.output<typeof listArgument>, DeadLetterItem> = {
  argument: listArgument,
  item: listed,
  async *answer(inspected, { filter, limit }) {
    const counts = new Map<string, z.output<typeof end>['counts'][number]>();
    let count = 0;
    for await (const page of inspected.journal.deadLetters.find(await fitting(inspected, filter), 'newest')) {
      for (const one of page) {
        count += 1;
        if (count <= limit) yield letterOf(one);
        const { route, reason } = one;
        const key = `${route} ${reason}`;
        counts.set(key, { route, reason, count: (counts.get(key)?.count ?? 0) + 1 });
      }
    }
    const running = inspected.running !== undefined;
    yield { kind: 'end', count, more: count > limit, counts: [...counts.values()], running };
  },
};

const showArgument = z.strictObject({ filter });

/** Each with its whole CloudEvent; refused when there is none. */
export const showDeadLetters: Operation<z.output<typeof showArgument>, WholeDeadLetter> = {
  argument: showArgument,
  item: whole,
  async *answer(inspected, { filter }) {
    let count = 0;
    for await (const page of inspected.journal.deadLetters.find(await fitting(inspected, filter))) {
      for (const one of page) {
        const record = await inspected.journal.deadLetters.recordOf(one);
        if (record === undefined) continue;
        count += 1;
        yield { ...letterOf(one), intact: record.intact, cloudEvent: cloudEventOf(record, one) };
      }
    }
    if (count === 0) throw new Refusal(noneOf(filter));
  },
};

function letterOf(one: DeadLetter): ListedDeadLetter {
  const { id, route, reason, detail, destination, diedAt, replay, eventId, object, bytes } = one;
  const { eventReason, occurredAt } = one;
  return {
    kind: 'dead-letter',
    id,
    route,
    reason,
    detail,
    destination,
    at: iso(diedAt),
    eventId,
    object,
    eventReason,
    occurredAt,
    bytes,
    ...(replay > 0 && { replay }),
  };
}

function cloudEventOf(record: JournalRecord, { replay }: DeadLetter): WholeDeadLetter['cloudEvent'] {
  const attributes = { ...record.attributes, origin: replay > 0 ? 'replay' : record.origin };
  try {
    return { ...attributes, data: JSON.parse(new TextDecoder().decode(record.data)) };
  } catch {
    return { ...attributes, data_base64: Buffer.from(record.data).toString('base64') };
  }
}
