/**
 * What runs when no file is given: it asks for nothing but a cluster. Written as a person would write it, so that it can
 * be printed, saved and grown into a real one.
 */
export function defaultConfig(options: {
  readonly cluster: string;
  readonly port: number;
  readonly journal: string;
}): string {
  return `apiVersion: kube-fanout/v1alpha1
cluster: ${JSON.stringify(options.cluster)}
journal: { path: ${JSON.stringify(options.journal)}, maxSize: 512MiB }
brokers:
  here: { mqtt: { embedded: { port: ${options.port} } } }
  terminal: { stdout: { format: text } }
routes:
  - name: mqtt
    to: { broker: here, topic: "k8s/{event.metadata.namespace}/{event.regarding.kind}/{event.reason}" }
    startFrom: oldest
  - name: terminal
    to: { broker: terminal }
    startFrom: oldest
`;
}
