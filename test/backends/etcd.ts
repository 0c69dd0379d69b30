import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import type { KubeAddress } from './kube.ts';

const Header = z.object({ header: z.object({ revision: z.string() }) });

/** One call of etcd's JSON gateway. Its integers are strings, its keys and values base64. */
async function etcdCall(kube: KubeAddress, path: string, message: unknown, dispatcher?: Dispatcher): Promise<unknown> {
  const { statusCode, body } = await request(`${etcdEndpoint(kube)}${path}`, {
    method: 'POST',
    body: JSON.stringify(message),
    ...(dispatcher && { dispatcher }),
  });
  const answer = await body.json();
  if (statusCode !== 200) throw new Error(`etcd ${path}: ${statusCode} ${JSON.stringify(answer)}`);
  return answer;
}

export function etcdEndpoint({ etcd }: KubeAddress): string {
  if (etcd === undefined) throw new Error('This API server was given without its etcd: set KUBE_FANOUT_TEST_ETCD.');
  return etcd;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Writes one key and gives the revision that this made. */
export async function etcdPut(kube: KubeAddress, key: string): Promise<bigint> {
  const answer = Header.parse(await etcdCall(kube, '/v3/kv/put', { key: base64(key), value: '' }));
  return BigInt(answer.header.revision);
}

/** Each is a revision of its own, in no order; several times as fast as by the API server. */
export async function etcdPutAll(kube: KubeAddress, entries: Iterable<readonly [key: string, value: string]>) {
  await using agent = new ClosingAgent({ connections: 16 });
  const queue = entries[Symbol.iterator]();
  const work = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const [key, value] = next.value;
      await etcdCall(kube, '/v3/kv/put', { key: base64(key), value: base64(value) }, agent);
    }
  };
  await Promise.all(Array.from({ length: 64 }, work));
}

class ClosingAgent extends Agent implements AsyncDisposable {
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export async function etcdRevision(kube: KubeAddress): Promise<bigint> {
  const answer = Header.parse(await etcdCall(kube, '/v3/kv/range', { key: base64('/'), limit: 1, keys_only: true }));
  return BigInt(answer.header.revision);
}

/**
 * Forgets all history before now, or before `revision`, so that older watches and lists answer 410. On the API server
 * that the run shares this would hurt the other tests: start one of your own.
 */
export async function compact(kube: KubeAddress, revision?: bigint): Promise<bigint> {
  const upTo = revision ?? (await etcdRevision(kube));
  await etcdCall(kube, '/v3/kv/compaction', { revision: `${upTo}`, physical: true });
  return upTo;
}
