/** A program of its own: is asked once, over IPC, what a kubeconfig says, answers, and ends. See find-cluster.ts. */
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import type { KubeconfigAnswer } from './find-cluster.ts';

const questionSchema = z.strictObject({ paths: z.array(z.string()).min(1), context: z.string().optional() });
export type KubeconfigQuestion = z.infer<typeof questionSchema>;

process.once('message', async (message) => {
  const answer = await answerTo(message).catch((error: unknown): KubeconfigAnswer => {
    return { failure: error instanceof Error ? error.message : String(error) };
  });
  process.send?.(answer, () => process.disconnect());
});

async function answerTo(message: unknown): Promise<KubeconfigAnswer> {
  const { paths, context } = questionSchema.parse(message);
  const config = merged(paths);
  if (context !== undefined) config.setCurrentContext(context);
  const current = config.getCurrentContext();
  if (!current) return { missing: 'the kubeconfig has no current context; `kubectl config use-context NAME` sets one' };
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const contexts = config.getContexts().map(({ name }) => name);
    return {
      missing: `the kubeconfig has no context ${current} with a cluster; it has ${contexts.join(', ') || 'none'}`,
    };
  }
  if (cluster.proxyUrl) throw new Error(`its proxy-url ${cluster.proxyUrl} is not supported yet`);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return {
    server: cluster.server,
    context: current,
    ca: textOf(options.ca),
    cert: textOf(options.cert),
    key: textOf(options.key),
    servername: options.servername,
    insecure: options.rejectUnauthorized === false,
    headers: headersOf(options),
  };
}

/** What several files of KUBECONFIG say together: the first to name a thing is believed. */
function merged(paths: readonly string[]): KubeConfig {
  const [first, ...others] = paths.map((path) => {
    const config = new KubeConfig();
    config.loadFromFile(path);
    return config;
  });
  if (first === undefined) throw new Error('no file is named');
  for (const other of others) {
    const unknown = (mine: readonly { name: string }[]) => (each: { name: string }) =>
      !mine.some(({ name }) => name === each.name);
    first.clusters = [...first.clusters, ...other.clusters.filter(unknown(first.clusters))];
    first.contexts = [...first.contexts, ...other.contexts.filter(unknown(first.contexts))];
    first.users = [...first.users, ...other.users.filter(unknown(first.users))];
    first.currentContext ||= other.currentContext;
  }
  // The library refuses plain HTTP, which `kubectl proxy` speaks, unless told that there is no certificate to check.
  first.clusters = first.clusters.map((each) =>
    each.server.startsWith('http:') ? { ...each, skipTLSVerify: true } : each,
  );
  return first;
}

function textOf(pem: unknown): string | undefined {
  if (typeof pem === 'string') return pem;
  return Buffer.isBuffer(pem) ? pem.toString() : undefined;
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const login = auth ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  return Object.fromEntries(Object.entries({ ...login, ...headers }).map(([name, value]) => [name, String(value)]));
}
