import { z } from 'zod';
import { type Position, parsePosition } from '../envelope/position.ts';
import type { ReplayedStream } from '../journal/record.ts';
import { iso, time } from './fate.ts';
import { knownRoute } from './known-route.ts';
import { type Inspected, type Operation, Refusal } from './operation.ts';

const position = z.custom<Position>((value) => parsePosition(value) !== undefined, 'Invalid position');

const argument = z.strictObject({
  route: z.string(),
  from: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('oldest') }),
    /** Milliseconds since 1970. */
    z.strictObject({ kind: z.literal('time'), at: z.number() }),
    /** What a number may mean; the first that is there. */
    z.strictObject({ kind: z.literal('position'), positions: z.array(position).min(1) }),
  ]),
});

const item = z.object({
  route: z.string(),
  /** False on a stopped daemon’s file: the next one sends it. */
  running: z.boolean(),
  /** Of the replay: each of its messages has it at the end of its deduplication id. */
  number: z.int(),
  /** How many the route reads again, of all streams together. */
  records: z.int(),
  streams: z.array(
    z.object({
      stream: z.string(),
      records: z.int(),
      /** The CloudEvent’s of the first and the last of them. */
      from: z.string(),
      to: z.string(),
      /** When the first of them was stored. */
      storedAt: time,
    }),
  ),
});

type Argument = z.output<typeof argument>;
export type ReplayFrom = Argument['from'];
export type Replay = z.output<typeof item>;

/** The route's cursor is moved back: one item, when that is safe in the journal. */
export const replay: Operation<Argument, Replay> = {
  argument,
  item,
  async *answer(inspected, { route: name, from }) {
    const answer = await asked(inspected, name, from);
    if ('refused' in answer) throw new Refusal(answer.refused);
    const { number } = answer;
    const streams = answer.streams.map(streamOf);
    const records = streams.reduce((sum, stream) => sum + stream.records, 0);
    yield { route: name, running: inspected.running !== undefined, number, records, streams };
  },
};

async function asked(inspected: Inspected, name: string, from: ReplayFrom) {
  const { journal, running } = inspected;
  const route = await knownRoute(inspected, name);
  if (running === undefined) return journal.replay(route, from);
  const live = running.routes.get(route);
  if (live === undefined) throw new Refusal(`route ${name} is not in the config of the running daemon`);
  return live.replay(from);
}

function streamOf({ stream, records, first, end }: ReplayedStream): Replay['streams'][number] {
  return { stream, records, from: first.position, to: end.position, storedAt: iso(first.appendedAt) };
}
