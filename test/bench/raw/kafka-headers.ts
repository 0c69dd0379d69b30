import type { Message } from '../../../src/adapter.ts';

/** Those of a CloudEvent in Kafka's binary content mode, as any client takes them. */
export function kafkaHeaders({ attributes }: Message): [name: string, value: string][] {
  return Object.entries(attributes).map(([attribute, value]) => {
    return [attribute === 'datacontenttype' ? 'content-type' : `ce_${attribute}`, String(value)];
  });
}
