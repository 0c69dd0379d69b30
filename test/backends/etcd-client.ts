/**
 * etcd by gRPC. Its JSON gateway costs etcd and who asks several times as much, which on a machine that everything
 * shares is the longest part of a test with much to write.
 */
import { Client, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { KubeAddress } from './kube.ts';

/** What is used here of etcd's API: https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/ */
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message ResponseHeader { int64 revision = 3; }
  message KeyValue { bytes key = 1; int64 mod_revision = 3; bytes value = 5; }

  message PutRequest { bytes key = 1; bytes value = 2; }
  message PutResponse { ResponseHeader header = 1; }

  message RangeRequest { bytes key = 1; int64 limit = 3; bool keys_only = 8; }
  message RangeResponse { ResponseHeader header = 1; }

  message DeleteRangeRequest { bytes key = 1; bytes range_end = 2; }
  message DeleteRangeResponse { ResponseHeader header = 1; }

  message CompactionRequest { int64 revision = 1; bool physical = 2; }
  message CompactionResponse { ResponseHeader header = 1; }

  message WatchRequest { CreateRequest create_request = 1; }
  message CreateRequest { bytes key = 1; bytes range_end = 2; int64 start_revision = 3; }
  message WatchResponse { bool canceled = 4; int64 compact_revision = 5; string cancel_reason = 6; repeated Event events = 11; }
  enum EventType { PUT = 0; DELETE = 1; }
  message Event { EventType type = 1; KeyValue kv = 2; }
`,
  { keepCase: true },
);

const KV = {
  put: coderOf('KV/Put', 'Put'),
  range: coderOf('KV/Range', 'Range'),
  delete: coderOf('KV/DeleteRange', 'DeleteRange'),
  compact: coderOf('KV/Compact', 'Compaction'),
};
const WATCH = coderOf('Watch/Watch', 'Watch');

/** Whoever waits for an etcd that is started again does not wait for minutes. */
const BACK_OFF = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 500 };

/** Bytes go in as text or bytes, integers as text or bigints; what comes out is for the caller to parse. */
export class EtcdClient implements Disposable {
  readonly #client: Client;

  constructor(kube: KubeAddress) {
    const options = { 'grpc.max_receive_message_length': -1, ...BACK_OFF };
    this.#client = new Client(new URL(etcdEndpoint(kube)).host, credentials.createInsecure(), options);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  call(method: keyof typeof KV, request: object): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { path, encode, decode } = KV[method];
    this.#client.makeUnaryRequest(path, encode, decode, request, (error, answer) => {
      if (error === null) resolve(answer);
      else reject(new Error(`etcd, ${method}: ${error.message}`));
    });
    return promise;
  }

  watch(request: object) {
    const { path, encode, decode } = WATCH;
    const call = this.#client.makeBidiStreamRequest(path, encode, decode);
    call.write({ create_request: request });
    return call;
  }
}

function coderOf(method: string, name: string) {
  const request = root.lookupType(`${name}Request`);
  const response = root.lookupType(`${name}Response`);
  const options = { longs: String, enums: String, defaults: true, arrays: true };
  return {
    path: `/etcdserverpb.${method}`,
    encode: (message: object) => Buffer.from(request.encode(request.fromObject(message)).finish()),
    decode: (bytes: Buffer): unknown => response.toObject(response.decode(bytes), options),
  };
}

export function etcdEndpoint({ etcd }: KubeAddress): string {
  if (etcd === undefined) throw new Error('This API server was given without its etcd: set KUBE_FANOUT_TEST_ETCD.');
  return etcd;
}
