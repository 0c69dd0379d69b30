import { z } from 'zod';
import { EtcdClient } from './etcd-client.ts';
import type { KubeAddress } from './kube.ts';

const Text = z.instanceof(Uint8Array).transform((bytes) => Buffer.from(bytes).toString());
const Change = z.object({
  type: z.enum(['PUT', 'DELETE']),
  kv: z.object({ key: Text, value: Text, mod_revision: z.string() }),
});
const Told = z.object({
  canceled: z.boolean(),
  compact_revision: z.string(),
  cancel_reason: z.string(),
  events: z.array(Change),
});
/** What etcd says at once: changes in their order, or that it has ended the watch. */
export type Told = z.output<typeof Told>;
export type Change = z.output<typeof Change>;

export interface Watched {
  readonly from: string;
  /** The first key that is not watched any more. */
  readonly to: string;
  readonly revision: bigint;
}

/** Everything from that revision on, until the signal aborts or the connection ends, which throws. */
export async function* watchEtcd(
  kube: KubeAddress,
  { from, to, revision }: Watched,
  signal: AbortSignal,
): AsyncGenerator<Told> {
  signal.throwIfAborted();
  using client = new EtcdClient(kube);
  const call = client.watch({ key: Buffer.from(from), range_end: Buffer.from(to), start_revision: String(revision) });
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for await (const told of call) yield Told.parse(told);
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}
