/** A config as the daemon sees it: checked, complete, with every default filled in. */
import type { AdapterType } from '../adapter.ts';
import type { JournalOptions } from '../journal/port.ts';
import type { RouteName } from '../journal/record.ts';
import type { RouteConfig } from '../routing/compile.ts';
import type { ClusterConfig } from '../source/find-cluster.ts';
import type { Target } from './routes.ts';
import type { ConfigFile } from './schema.ts';

export interface Config {
  /** The name of the cluster in every CloudEvent's source. */
  readonly cluster: string;
  readonly source: SourceConfig;
  readonly journal: JournalOptions;
  readonly brokers: ReadonlyMap<string, BrokerConfig>;
  readonly routes: readonly RouteConfig[];
  /** Where metrics are served, or undefined when they are not. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
}

interface SourceConfig {
  /** One stream for each; when empty, one for all namespaces. */
  readonly namespaces: readonly string[];
  readonly fieldSelector: string | undefined;
  /** Where the very first start begins. */
  readonly startFrom: 'oldest' | 'now';
  /** How the API server is found. */
  readonly cluster: ClusterConfig;
}

export interface BrokerConfig {
  readonly type: AdapterType;
  /** What the adapter's `brokerOptions` made of the entry. */
  readonly options: unknown;
}

/** A checked file and its routes' targets, in the daemon's terms. */
export function configOf(
  file: ConfigFile,
  targets: readonly (Target | undefined)[],
  adapters: readonly AdapterType[],
): Config {
  const brokers = Object.entries(file.brokers).flatMap(([name, entry]) =>
    adapters
      .filter((type) => entry[type.name] !== undefined)
      .map((type) => [name, { type, options: entry[type.name] }] as const),
  );
  const { path, retain, maxSize, maxDeadLetters, sync } = file.journal;
  const { namespaces, fieldSelector, startFrom } = file.source.kubernetes;
  return {
    cluster: file.cluster,
    source: { namespaces, fieldSelector, startFrom, cluster: clusterOf(file.source.kubernetes) },
    journal: { path, retainMs: retain, maxBytes: maxSize, maxDeadLetters, sync },
    brokers: new Map(brokers),
    routes: file.routes.map((route, index) => ({
      // The one place where a name becomes a route's.
      name: route.name as RouteName,
      broker: route.to.broker,
      when: route.when,
      whenLines: targets[index]?.whenLines,
      destination: targets[index]?.destination,
      key: route.key,
      options: targets[index]?.options,
      gaps: route.gaps,
      maxAgeMs: route.maxAge,
      atQuota: route.atQuota,
      startFrom: route.startFrom,
    })),
    metrics: file.metrics,
  };
}

function clusterOf({ server, caFile, token, kubeconfig, context }: ConfigFile['source']['kubernetes']): ClusterConfig {
  if (server !== undefined) return { kind: 'server', url: server, caFile, token };
  if (kubeconfig === undefined && context === undefined) return { kind: 'ambient' };
  return { kind: 'kubeconfig', path: kubeconfig, context };
}
