/** What a raw client publishes: the Events of the load, in the envelope that the daemon gives them. */
import { z } from 'zod';
import type { Message } from '../../../src/adapter.ts';
import { envelopeOf } from '../../../src/envelope/event.ts';
import { startSimulator } from '../../../src/simulator/simulator.ts';

const List = z.object({ items: z.array(z.unknown()) });

/** About as many as the load has objects, four of each. */
export async function poolOf(objects: number, bytes: number): Promise<readonly Message[]> {
  await using simulator = await startSimulator();
  const count = objects * 4;
  await simulator.load({ objects, bytes, rate: 50_000, forSeconds: count / 50_000, updates: 0 });
  const { items } = List.parse(await (await fetch(`${simulator.address}/api/v1/events`)).json());
  const context = { cluster: 'test', origin: 'live', now: new Date() } as const;
  return items.map((item) => {
    const record = envelopeOf(item, context);
    if ('refused' in record) throw new Error(record.refused);
    const { attributes, data, key } = record;
    return {
      ...{ destination: '', key, data, deduplicationId: attributes.id },
      attributes: { ...attributes, origin: 'live' as const },
    };
  });
}
