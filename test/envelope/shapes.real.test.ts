import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { envelopeOf } from '../../src/envelope/event.ts';
import type { NewRecord } from '../../src/journal/record.ts';
import { backend } from '../backends/backend.ts';
import { hostileEvents, ordinaryEvents } from '../backends/events.ts';
import type { KubeAddress } from '../backends/kube.ts';
import { KubeClient } from '../backends/kube-client.ts';
import { EventWriter } from '../backends/load.ts';
import { record } from '../backends/recorder.ts';
import { schemaErrors } from './schema.ts';

const kube = backend('kube');
const List = z.object({ items: z.array(z.unknown()) });

describe.skipIf(!kube?.etcd)('what a real API server has', () => {
  const address: KubeAddress = kube ?? { server: '', ca: '', token: '' };

  test('of hostile writers and of both of client-go’s recorders is one vocabulary in both shapes, by the schema', async () => {
    await using client = new KubeClient(address);
    await using writer = new EventWriter(address);
    const namespace = await client.createNamespace('shapes');
    const events = [...ordinaryEvents(namespace, 20), ...hostileEvents(namespace)];
    await writer.each(events, async (event) => {
      await writer.repeat(await writer.create(event));
    });
    await record(address, { namespace, objects: 3, repeats: 5, distinct: 15 });

    const core = await recordsAt(client, `/api/v1/namespaces/${namespace}/events`);
    const newer = await recordsAt(client, `/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    expect(core.size).toBeGreaterThan(events.length);
    expect([...newer.keys()].toSorted()).toEqual([...core.keys()].toSorted());
    for (const [id, { attributes, data }] of core) {
      expect(newer.get(id)?.attributes).toEqual(attributes);
      const text = Buffer.from(data).toString();
      expect(Buffer.from(newer.get(id)?.data ?? []).toString()).toBe(text);
      expect(schemaErrors(JSON.parse(text))).toEqual([]);
    }
  });
});

/** By id; none may be refused. */
async function recordsAt(client: KubeClient, path: string): Promise<Map<string, NewRecord>> {
  const now = new Date('2026-11-01T00:00:00Z');
  const records = List.parse(await client.get(path)).items.map((item) => {
    const made = envelopeOf(item, { cluster: 'real', origin: 'backfill', now });
    if ('refused' in made) throw new Error(`${made.refused}: ${JSON.stringify(item).slice(0, 300)}`);
    return made;
  });
  return new Map(records.map((each) => [each.attributes.id, each]));
}
