/** Failures of the API server in words for a person: what failed, where, and what to do. */
import { ALL_NAMESPACES, type StreamName } from '../envelope/position.ts';
import type { Status } from './api-error.ts';
import type { Cluster } from './cluster.ts';
import { excerpt } from './watch-lines.ts';

/** The network, or the TLS on it, did not carry the question or the whole answer. */
export function unreachable(cluster: Cluster, error: unknown): Error {
  const cause = innermost(error);
  const hint = HINTS[cause.code ?? ''];
  const said = cause.message || cause.code || 'no reason given';
  return new Error(
    `cannot talk to the API server at ${cluster.server.origin} (${cluster.describe}): ${said}${hint ?? ''}`,
    {
      cause: error,
    },
  );
}

const UNTRUSTED = '; its certificate is not signed by the CA that is configured for it';
const HINTS: Readonly<Record<string, string>> = {
  UND_ERR_BODY_TIMEOUT: '; it has been silent for longer than it was asked to keep the watch open',
  UND_ERR_SOCKET: '; it, or something on the way to it, closed the connection',
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
};

function innermost(error: unknown): { readonly message: string; readonly code: string | undefined } {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error), code: undefined };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return error.cause instanceof Error && code === undefined ? innermost(error.cause) : { message: error.message, code };
}

/** It said 200 and sent something else: a login page, say. */
export function noList(cluster: Cluster, found: string): Error {
  const where = `${cluster.server.origin} (${cluster.describe})`;
  return new Error(`what answers at ${where} is no API server, or something stands in front of it: ${excerpt(found)}`);
}

interface Asked {
  readonly cluster: Cluster;
  readonly stream: StreamName;
  readonly fieldSelector: string | undefined;
}

/** What the API server answered instead of 200. */
export function refusedBy({ code, reason, message }: Status, { cluster, stream, fieldSelector }: Asked): string {
  const where = `the API server at ${cluster.server.origin}`;
  const said = message || reason || 'without a reason';
  if (code === 401) {
    return `${where} does not accept the credentials (${cluster.describe}): ${said}. Renew them; kube-fanout tries again by itself`;
  }
  if (code === 403) {
    const all = stream === ALL_NAMESPACES;
    const rule = 'rules:\n- apiGroups: [""]\n  resources: [events]\n  verbs: [get, list, watch]';
    const home = all
      ? 'in a ClusterRole, bound by a ClusterRoleBinding'
      : `in a Role in namespace ${stream}, bound by a RoleBinding there`;
    return `${where} does not let kube-fanout read Events: ${said}. It takes this, ${home}; kube-fanout tries again by itself:\n${rule}`;
  }
  const selector = code === 400 && fieldSelector !== undefined ? `, asked with the fieldSelector ${fieldSelector}` : '';
  return `${where} answered ${code}${selector}: ${said}`;
}
