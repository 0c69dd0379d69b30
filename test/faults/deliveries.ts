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

/** Of what was appended in one of the spans: how long it took until all but a hundredth was acknowledged, in milliseconds. */
export function p99(deliveries: readonly Delivery[], spans: readonly Span[]): number {
  const took = deliveries
    .filter(({ appendedAt }) => spans.some(({ from, to }) => from <= appendedAt && appendedAt < to))
    .map(({ appendedAt, deliveredAt }) => deliveredAt - appendedAt)
    .sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.99)] ?? Number.NaN;
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
