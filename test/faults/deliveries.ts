/** When what was delivered, as the journal says: what its paper trail is good for beside the proof. */
import { z } from 'zod';
import type { Scene } from './scene.ts';
import { openCopy } from './stopped-journal.ts';

const Delivery = z.object({
  route: z.string(),
  id: z.string(),
  /** Of the object that it is about, which a route may name its destination by. */
  key: z.string(),
  /** Milliseconds since 1970. */
  appendedAt: z.number(),
  deliveredAt: z.number(),
});
export type Delivery = z.output<typeof Delivery>;

export async function readDeliveries(journal: string): Promise<readonly Delivery[]> {
  await using copy = await openCopy(journal);
  const rows = copy.db
    .prepare(
      `SELECT o.name AS route, json_extract(r.attributes, '$.id') AS id, r.key, r.appended_at AS appendedAt,
         t.delivered_at AS deliveredAt
       FROM receipts t JOIN records r USING (stream, epoch, position) JOIN routes o ON o.id = t.route`,
    )
    .all();
  return rows.map((row) => Delivery.parse(row));
}

/**
 * How long it took, in milliseconds, until all but a hundredth of what was appended in a second was acknowledged: of the
 * whole seconds of the spans, the one in the middle. A stall of the disk, which brokers, etcd and daemon share here, is
 * then one second's and not the figure; a second of which nothing was delivered took for ever.
 */
export function p99(deliveries: readonly Delivery[], spans: readonly Span[]): number {
  const each = spans.flatMap(secondsOf).map(({ from, to }) => {
    const its = deliveries.filter(({ appendedAt }) => from <= appendedAt && appendedAt < to);
    const took = its.map(({ appendedAt, deliveredAt }) => deliveredAt - appendedAt);
    return took.length === 0 ? Number.POSITIVE_INFINITY : quantile(took, 0.99);
  });
  return quantile(each, 0.5);
}

function secondsOf({ from, to }: Span): readonly Span[] {
  const count = Math.floor((to - from) / SECOND);
  return Array.from({ length: count }, (_, i) => ({ from: from + i * SECOND, to: from + (i + 1) * SECOND }));
}

const SECOND = 1_000;

function quantile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** From each moment of that kind to the next one of any kind. */
export function spansOf(moments: Scene['moments'], what: string): readonly Span[] {
  return moments.flatMap((moment, i) =>
    moment.what === what ? { from: moment.at, to: moments[i + 1]?.at ?? Number.POSITIVE_INFINITY } : [],
  );
}
