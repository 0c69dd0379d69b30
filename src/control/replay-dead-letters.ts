import { z } from 'zod';
import type { DeadLetterFilter, RouteName } from '../journal/record.ts';
import { filter, fitting, noneOf } from './dead-letter-filter.ts';
import { type Inspected, type Operation, Refusal } from './operation.ts';

/** Without a filter that selects anything, `all` has to say that this is meant. */
const argument = z.strictObject({ filter, all: z.boolean() });

/** Some of a route, durably done; `ids` are those of the dead letters, which are none any more. */
const some = { route: z.string(), ids: z.array(z.int()) };
const end = z.object({
  kind: z.literal('end'),
  count: z.int(),
  /** False on a stopped daemon’s file. */
  running: z.boolean(),
});

const replayed = z.discriminatedUnion('kind', [
  /** `replay` is the number of the replay: part of each message's deduplication id. */
  z.object({ kind: z.literal('replayed'), ...some, replay: z.int() }),
  /** Left as they are, and why. */
  z.object({ kind: z.literal('refused'), route: z.string(), count: z.int(), why: z.string() }),
  end,
]);
const dropped = z.discriminatedUnion('kind', [z.object({ kind: z.literal('dropped'), ...some }), end]);

type Argument = z.output<typeof argument>;
export type ReplayedItem = z.output<typeof replayed>;
export type DroppedItem = z.output<typeof dropped>;

/** Has dead letters sent again; step by step, and one item at the end. Whoever goes away leaves the rest as it is. */
export const replayDeadLetters: Operation<Argument, ReplayedItem> = {
  argument,
  item: replayed,
  async *answer(inspected, asked) {
    let count = 0;
    let why: string | undefined;
    for await (const step of inspected.journal.deadLetters.revive(
      await selected(inspected, asked),
      notRunning(inspected),
    )) {
      if ('refused' in step) {
        const { route, count, refused } = step;
        why = refused;
        yield { kind: 'refused', route, count, why };
      } else {
        const { route, ids, number } = step;
        count += ids.length;
        yield { kind: 'replayed', route, replay: number, ids: [...ids] };
      }
    }
    if (count === 0) throw new Refusal(why ?? noneOf(asked.filter));
    yield { kind: 'end', count, running: inspected.running !== undefined };
  },
};

/** Lets go of dead letters; step by step, and one item at the end. Whoever goes away leaves the rest as it is. */
export const dropDeadLetters: Operation<Argument, DroppedItem> = {
  argument,
  item: dropped,
  async *answer(inspected, asked) {
    let count = 0;
    for await (const { route, ids } of inspected.journal.deadLetters.drop(await selected(inspected, asked))) {
      count += ids.length;
      if (ids.length > 0) yield { kind: 'dropped', route, ids: [...ids] };
    }
    if (count === 0) throw new Refusal(noneOf(asked.filter));
    yield { kind: 'end', count, running: inspected.running !== undefined };
  },
};

async function selected(inspected: Inspected, { filter, all }: Argument): Promise<DeadLetterFilter> {
  const isSelection = Object.values(filter).some((value) => value !== undefined);
  if (isSelection === all) throw new Refusal('say which dead letters, or that all of them are meant, and not both');
  return fitting(inspected, filter);
}

/** A route that has left the config may not be known as removed yet. */
function notRunning({ running }: Inspected): (route: RouteName) => boolean {
  return (route) => running !== undefined && !running.routes.has(route);
}
