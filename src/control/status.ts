import { z } from 'zod';
import type { RouteState } from '../journal/record.ts';
import type { Inspected, Operation } from './operation.ts';

const argument = z.strictObject({});

const cursor = z.object({ stream: z.string(), epoch: z.int(), position: z.string() });
const counters = z.object({
  read: z.int(),
  delivered: z.int(),
  filtered: z.int(),
  limited: z.int(),
  dead: z.int(),
  expired: z.int(),
});

const item = z.object({
  /** False on a stopped daemon's file. */
  running: z.boolean(),
  journal: z.object({
    records: z.int(),
    bytes: z.int(),
    quotaBytes: z.int().optional(),
    oldestAppendedAt: z.int().optional(),
    gaps: z.int(),
  }),
  streams: z.array(
    z.object({ stream: z.string(), epoch: z.int(), rv: z.string().optional(), listing: z.boolean(), up: z.boolean() }),
  ),
  routes: z.array(
    z.object({
      route: z.string(),
      cursors: z.array(cursor),
      counters,
      pending: z.int(),
      lag: z.int(),
      /** Undefined for a route that does not run now. */
      connection: z.enum(['connecting', 'up', 'down']).optional(),
    }),
  ),
});

type Argument = z.output<typeof argument>;
export type Status = z.output<typeof item>;

/** Where everything stands: one item. */
export const status: Operation<Argument, Status> = {
  argument,
  item,
  async *answer(inspected) {
    const { journal, running } = inspected;
    const { records, bytes, quotaBytes, oldestAppendedAt, gaps } = await journal.stats();
    const streams = await journal.streams();
    const routes = await journal.routes();
    yield {
      running: running !== undefined,
      // A file that is only looked at has no quota.
      journal: { records, bytes, oldestAppendedAt, gaps, ...(Number.isFinite(quotaBytes) && { quotaBytes }) },
      streams: streams.map(({ stream, epoch, rv, listing }) => {
        const up = running?.streams.some((one) => one.stream === stream && one.up) ?? false;
        return { stream, epoch, rv, listing: listing !== undefined, up };
      }),
      routes: routes.map((state) => routeStatus(state, inspected)),
    };
  },
};

function routeStatus({ route, cursors, counters, pending, lag }: RouteState, { running }: Inspected) {
  return {
    route,
    cursors: Array.from(cursors, ([stream, { epoch, position }]) => ({ stream, epoch, position })),
    counters,
    pending,
    lag,
    connection: running?.routes.get(route)?.status.connection.kind,
  };
}
