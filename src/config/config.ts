/** A config as the daemon sees it: checked, complete, with every default filled in. */
import type { AdapterType } from '../adapter.ts';
import type { JournalOptions } from '../journal/port.ts';
import type { RouteConfig } from '../routing/compile.ts';
import type { Secret } from '../secret.ts';

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

export interface SourceConfig {
  /** One stream for each; when empty, one for all namespaces. */
  readonly namespaces: readonly string[];
  readonly fieldSelector: string | undefined;
  /** Where the very first start begins. */
  readonly startFrom: 'oldest' | 'now';
  readonly cluster: ClusterConfig;
}

/** How the API server is found. */
export type ClusterConfig =
  /** The service account inside a cluster, or else the current context of the usual kubeconfig. */
  | { readonly kind: 'ambient' }
  | { readonly kind: 'kubeconfig'; readonly path: string | undefined; readonly context: string | undefined }
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly caFile: string | undefined;
      readonly token: Secret | undefined;
    };

export interface BrokerConfig {
  readonly type: AdapterType;
  /** What the adapter's `brokerOptions` made of the entry. */
  readonly options: unknown;
}
