import { z } from 'zod';
import { REASONS } from '../adapter.ts';
import type { DeadLetterFilter } from '../journal/record.ts';
import { knownRoute } from './known-route.ts';
import type { Inspected } from './operation.ts';

/** Which dead letters: all that is given must fit. */
export const filter = z.strictObject({
  route: z.string().optional(),
  reason: z.enum(REASONS.reject).optional(),
  /** Died then or later, or then or before, in milliseconds since 1970. */
  since: z.number().optional(),
  until: z.number().optional(),
  /** Any of them: ids of dead letters or of CloudEvents. */
  ids: z.array(z.string()).min(1).optional(),
});

type Filter = z.output<typeof filter>;

export async function fitting(inspected: Inspected, { route, ...rest }: Filter): Promise<DeadLetterFilter> {
  return route === undefined ? rest : { ...rest, route: await knownRoute(inspected, route) };
}

export function noneOf(filter: Filter): string {
  const { ids = [] } = filter;
  const [id] = ids;
  if (Object.values(filter).every((value) => value === undefined)) return 'there is no dead letter';
  if (id === undefined || ids.length > 1) return 'no dead letter fits';
  return `there is no dead letter ${id}: it was replayed or dropped, or never was one`;
}
