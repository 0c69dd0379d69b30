/**
 * A watch on etcd by gRPC. Its JSON gateway costs etcd and the reader several times as much, which on a machine that
 * everything shares is the longest part of a test with much to write.
 */
import { Client, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { z } from 'zod';
import { etcdEndpoint } from './etcd.ts';
import type { KubeAddress } from './kube.ts';

/** What is used here of etcd's API: https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/ */
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message WatchRequest { CreateRequest create_request = 1; }
  message CreateRequest { bytes key = 1; bytes range_end = 2; int64 start_revision = 3; }
  message WatchResponse { bool canceled = 4; int64 compact_revision = 5; string cancel_reason = 6; repeated Event events = 11; }
  enum EventType { PUT = 0; DELETE = 1; }
  message Event { EventType type = 1; KeyValue kv = 2; }
  message KeyValue { bytes key = 1; int64 mod_revision = 3; bytes value = 5; }
`,
  { keepCase: true },
);
const Request = root.lookupType('WatchRequest');
const Response = root.lookupType('WatchResponse');

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
  using client = new ClosingClient(new URL(etcdEndpoint(kube)).host, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  const call = client.makeBidiStreamRequest('/etcdserverpb.Watch/Watch', encode, decode);
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    call.write({ key: Buffer.from(from), range_end: Buffer.from(to), start_revision: String(revision) });
    yield* call;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

class ClosingClient extends Client {
  [Symbol.dispose](): void {
    this.close();
  }
}

function encode(create_request: object): Buffer {
  return Buffer.from(Request.encode(Request.fromObject({ create_request })).finish());
}

function decode(bytes: Buffer): Told {
  const options = { longs: String, enums: String, defaults: true, arrays: true };
  return Told.parse(Response.toObject(Response.decode(bytes), options));
}
