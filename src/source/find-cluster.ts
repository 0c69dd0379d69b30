/** The ways to an API server: named outright, by the service account that every pod has, or by a kubeconfig. */
import { fork } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { z } from 'zod';
import type { Secret } from '../secret.ts';
import { type Cluster, NoClusterError } from './cluster.ts';
import type { KubeconfigQuestion } from './kubeconfig.ts';

export { NoClusterError } from './cluster.ts';

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

/** The environment of the process, or of a test. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Where a pod finds its service account. */
  readonly serviceAccount: string;
}

const HERE: Surroundings = {
  env: process.env,
  home: homedir(),
  serviceAccount: '/var/run/secrets/kubernetes.io/serviceaccount',
};

/** Rejects with a NoClusterError when there is none, and with an Error in words when what is there does not work. */
export async function findCluster(config: ClusterConfig, signal: AbortSignal, around = HERE): Promise<Cluster> {
  switch (config.kind) {
    case 'server':
      return namedServer(config);
    case 'kubeconfig':
      return kubeconfig(config, signal, around);
    case 'ambient':
      return (await inCluster(around)) ?? kubeconfig({ path: undefined, context: undefined }, signal, around);
  }
}

async function namedServer({ url, caFile, token }: Extract<ClusterConfig, { kind: 'server' }>): Promise<Cluster> {
  return {
    server: new URL(url),
    ca: caFile === undefined ? undefined : await authorityIn(caFile),
    token: async () => token?.reveal(),
    describe: 'the server named in the config',
  };
}

async function inCluster({ env, serviceAccount }: Surroundings): Promise<Cluster | undefined> {
  const host = env.KUBERNETES_SERVICE_HOST;
  if (host === undefined || host === '') return undefined;
  const [tokenFile, caFile] = [join(serviceAccount, 'token'), join(serviceAccount, 'ca.crt')];
  if (!(await exists(tokenFile))) return undefined;
  const namespace = await readFile(join(serviceAccount, 'namespace'), 'utf8').catch(() => 'an unknown namespace');
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT ?? '443'}`),
    ca: await authorityIn(caFile),
    token: async () => (await readFile(tokenFile, 'utf8')).trim(),
    describe: `the service account of this pod in ${namespace.trim()}`,
  };
}

interface KubeconfigChoice {
  readonly path: string | undefined;
  readonly context: string | undefined;
}

async function kubeconfig(choice: KubeconfigChoice, signal: AbortSignal, around: Surroundings): Promise<Cluster> {
  const named = choice.path ?? (around.env.KUBECONFIG || undefined);
  const paths = named === undefined ? [join(around.home, '.kube', 'config')] : named.split(delimiter).filter(Boolean);
  const found = await Promise.all(paths.map(exists));
  if (!found.includes(true)) {
    throw new NoClusterError(
      `there is no cluster to read Events from: this is no pod with a service account, and there is no kubeconfig at ${paths.join(' or ')}`,
    );
  }
  const present = paths.filter((_, index) => found[index]);
  const answer = await askKubeconfig({ paths: present, context: choice.context }, signal);
  if ('missing' in answer) throw new NoClusterError(`${answer.missing} (${present.join(', ')})`);
  if ('failure' in answer) throw new Error(`the kubeconfig at ${present.join(', ')} does not work: ${answer.failure}`);
  const { server, context, ...credentials } = answer;
  let renewed: Promise<Cluster> | undefined;
  return {
    ...credentials,
    server: new URL(server),
    token: async () => undefined,
    // All streams notice at the same time that their credentials have run out: one of them asks for all.
    renew: (until) => {
      renewed ??= kubeconfig({ ...choice, context }, until, around).catch((error: unknown) => {
        renewed = undefined;
        throw error;
      });
      return renewed;
    },
    name: context,
    describe: `context ${context} of ${present.join(', ')}`,
  };
}

const answerSchema = z.union([
  z.strictObject({ missing: z.string() }),
  z.strictObject({ failure: z.string() }),
  z.strictObject({
    server: z.string(),
    context: z.string(),
    ca: z.string().optional(),
    cert: z.string().optional(),
    key: z.string().optional(),
    servername: z.string().optional(),
    insecure: z.boolean().optional(),
    headers: z.record(z.string(), z.string()),
  }),
]);
export type KubeconfigAnswer = z.infer<typeof answerSchema>;

/**
 * The client library reads the kubeconfig, and runs whatever plugin logs in, in a process that ends: it would take 90 MB
 * for ever here. It is asked again when the credentials have run out.
 */
async function askKubeconfig(question: KubeconfigQuestion, signal: AbortSignal): Promise<KubeconfigAnswer> {
  // tsc rewrites the endings of imports, but not this one.
  const file = import.meta.url.endsWith('.ts') ? './kubeconfig.ts' : './kubeconfig.js';
  const child = fork(new URL(file, import.meta.url), [], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    signal,
  });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  child.once('message', resolve);
  child.once('error', reject);
  child.once('exit', (code, killedBy) => reject(new Error(`reading it ended with ${killedBy ?? code}`)));
  child.send(question);
  return answerSchema.parse(await promise);
}

async function authorityIn(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`the certificate authority of the API server cannot be read from ${path}`, { cause: error });
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
