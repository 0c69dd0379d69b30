import { randomUUID } from 'node:crypto';
import type { Attributes, Message } from '../../src/adapter.ts';

interface Wish {
  readonly destination: string;
  readonly key?: string;
  readonly data?: unknown;
  readonly attributes?: Partial<Attributes>;
}

let resourceVersion = 41_000;

/** A message as the core makes them: about `key`, with an id of its own and a sequence that grows. */
export function message({ destination, key = 'Pod/web/nginx', data, attributes }: Wish): Message {
  const rv = String(++resourceVersion);
  const id = `${randomUUID()}.${rv}`;
  return {
    destination,
    key,
    attributes: {
      specversion: '1.0',
      id,
      source: '/clusters/contract',
      type: 'kube-fanout.event.v1',
      subject: key,
      partitionkey: key,
      time: '2026-11-02T03:04:05.678901Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:kube-fanout:event:v1',
      sequence: `${String(rv.length).padStart(2, '0')}${rv}`,
      cluster: 'contract',
      namespace: 'web',
      kind: 'Pod',
      apiversion: 'v1',
      name: 'nginx',
      reason: 'BackOff',
      severitytext: 'WARN',
      severitynumber: 13,
      recordedtime: '2026-11-02T03:04:06.1Z',
      origin: 'live',
      ...attributes,
    },
    data: new TextEncoder().encode(JSON.stringify(data ?? { note: `Event ${rv}`, count: 1 })),
    deduplicationId: `${id}/contract`,
  };
}

/** One message for each key, in turn, `rounds` times over. */
export function rounds(destination: string, keys: readonly string[], rounds: number): readonly Message[] {
  return Array.from({ length: rounds }, () => keys.map((key) => message({ destination, key }))).flat();
}

export function keys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `Pod/web/nginx-${i}`);
}
