import { z } from 'zod';
import { EtcdClient } from './etcd-client.ts';
import type { KubeAddress } from './kube.ts';

/** Every key of an Event, and the first one behind them all. */
export const EVENTS = { from: '/registry/events/', to: '/registry/events0' } as const;

const Answer = z.object({ header: z.object({ revision: z.string().transform(BigInt) }) });

/** Writes one key and gives the revision that this made. */
export async function etcdPut(kube: KubeAddress, key: string): Promise<bigint> {
  using client = new EtcdClient(kube);
  return Answer.parse(await client.call('put', { key: Buffer.from(key) })).header.revision;
}

/** Each is a revision of its own, in no order; several times as fast as by the API server. */
export async function etcdPutAll(kube: KubeAddress, entries: Iterable<readonly [key: string, value: string]>) {
  using client = new EtcdClient(kube);
  const queue = entries[Symbol.iterator]();
  const work = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const [key, value] = next.value;
      await client.call('put', { key: Buffer.from(key), value: Buffer.from(value) });
    }
  };
  await Promise.all(Array.from({ length: 64 }, work));
}

export async function etcdRevision(kube: KubeAddress): Promise<bigint> {
  using client = new EtcdClient(kube);
  const answer = await client.call('range', { key: Buffer.from('/'), limit: 1, keys_only: true });
  return Answer.parse(answer).header.revision;
}

/** Whoever lists Events from now on finds none. On the API server that the run shares this would hurt the other tests. */
export async function deleteEvents(kube: KubeAddress): Promise<void> {
  using client = new EtcdClient(kube);
  await client.call('delete', { key: Buffer.from(EVENTS.from), range_end: Buffer.from(EVENTS.to) });
}

/**
 * Forgets all history before now, or before `revision`, so that older watches and lists answer 410. On the API server
 * that the run shares this would hurt the other tests: start one of your own.
 */
export async function compact(kube: KubeAddress, revision?: bigint): Promise<bigint> {
  const upTo = revision ?? (await etcdRevision(kube));
  using client = new EtcdClient(kube);
  await client.call('compact', { revision: `${upTo}`, physical: true });
  return upTo;
}
