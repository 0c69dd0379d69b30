import { mkdtempDisposable, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { type Certificates, createCertificates } from './certificates.ts';
import { command, goProgram, KUBE_APISERVER, locate } from './machine.ts';
import { freePort, Program } from './process.ts';
import { handOver, type Started } from './source.ts';

/** A real kube-apiserver on etcd. No controller runs: a namespace is there when it was created, and nothing else is. */
export interface KubeAddress {
  readonly server: string;
  /** The certificate authority of the server, PEM. */
  readonly ca: string;
  /** Of a member of system:masters. */
  readonly token: string;
  /** etcd's own endpoint, plain HTTP, where there is one: Events lie there as JSON below /registry/events/. */
  readonly etcd?: string;
}

export interface KubeOptions {
  /** Flags of kube-apiserver that join or, being later, replace ours. */
  readonly flags?: readonly string[];
}

export interface KubeBackend extends Started<KubeAddress> {
  /** Where etcd keeps its data, and the URL that it knows itself by. */
  readonly etcdHome: { readonly data: string; readonly peer: string };
  readonly apiserver: Program;
  readonly etcd: Program;
}

export async function startKube(options: KubeOptions = {}): Promise<KubeBackend> {
  await using scope = new AsyncDisposableStack();
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-kube-'))).path;
  const [certificates, binary] = await Promise.all([createCertificates(directory), kubeApiserver()]);
  const etcdPort = await freePort();
  const address = {
    server: `https://127.0.0.1:${await freePort()}`,
    ca: certificates.ca,
    token: ADMIN_TOKEN,
    etcd: `http://127.0.0.1:${etcdPort}`,
  };
  const { path: place } = scope.use(await mkdtempDisposable(join(await quickPlace(), 'kube-fanout-etcd-')));
  const etcdHome = { data: join(place, 'etcd'), peer: `http://127.0.0.1:${await freePort()}` };
  const etcd = await startEtcd({ directory, url: address.etcd, ...etcdHome });
  scope.use(etcd);
  const { port } = new URL(address.server);
  const identities = await writeIdentities(directory);
  const apiserver = await Program.start({
    name: 'kube-apiserver',
    command: binary,
    args: [
      `--etcd-servers=${address.etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      ...apiserverFlags({ ...certificates, ...identities }),
      ...(options.flags ?? []),
    ],
    log: join(directory, 'kube-apiserver.log'),
    ready: (signal) => kubeReady(address, signal),
  });
  scope.use(apiserver);
  return handOver(scope, { address, apiserver, etcd, etcdHome });
}

const ENOUGH = 4 * 1024 ** 3;

/** etcd waits for the disk at each write, and so does the daemon that is tested: in memory, if there is enough, it does not. */
async function quickPlace(): Promise<string> {
  const free = await statfs('/dev/shm')
    .then(({ bavail, bsize }) => bavail * bsize)
    .catch(() => 0);
  return free >= ENOUGH ? '/dev/shm' : tmpdir();
}

/** A binary that somebody names, or ours, which takes minutes to build the first time. */
async function kubeApiserver(): Promise<string> {
  return process.env.KUBE_APISERVER ?? goProgram(KUBE_APISERVER);
}

export async function kubeReady({ server, ca, token }: KubeAddress, signal: AbortSignal): Promise<void> {
  const dispatcher = new Agent({ connect: { ca } });
  try {
    const headers = { authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(`${server}/readyz`, { dispatcher, headers, signal });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`/readyz says ${statusCode}: ${text}`);
  } finally {
    await dispatcher.destroy();
  }
}

interface EtcdSpec {
  readonly directory: string;
  readonly url: string;
  readonly data: string;
  readonly peer: string;
}

async function startEtcd({ directory, url, data, peer }: EtcdSpec): Promise<Program> {
  return Program.start({
    name: 'etcd',
    command: (await locate('etcd')) ?? 'etcd',
    args: [
      `--data-dir=${data}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ],
    log: join(directory, 'etcd.log'),
    ready: async (signal) => {
      const { statusCode, body } = await request(`${url}/health`, { signal });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`/health says ${statusCode}: ${text}`);
    },
  });
}

export const ADMIN_TOKEN = 'kube-fanout-admin';

/** Who may come in, and the key that signs the tokens of ServiceAccounts. */
interface Identities {
  readonly tokens: string;
  readonly serviceAccountKey: string;
}

export async function writeIdentities(directory: string): Promise<Identities> {
  const [tokens, serviceAccountKey] = [join(directory, 'tokens.csv'), join(directory, 'service-account.key')];
  await writeFile(tokens, `${ADMIN_TOKEN},admin,admin,"system:masters"\n`);
  await command('openssl', ['genrsa', '-out', serviceAccountKey, '2048']);
  return { tokens, serviceAccountKey };
}

/**
 * Events are stored as JSON so that an etcd watch can be read as the truth. The ServiceAccount admission plugin would
 * want a controller, and the endpoint reconciler an address that is not loopback.
 */
export function apiserverFlags(files: Identities & Pick<Certificates, 'certFile' | 'keyFile'>): string[] {
  const { certFile, keyFile, tokens, serviceAccountKey } = files;
  return [
    `--tls-cert-file=${certFile}`,
    `--tls-private-key-file=${keyFile}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--storage-media-type=application/json',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${serviceAccountKey}`,
    `--service-account-signing-key-file=${serviceAccountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
    '--event-ttl=1h',
  ];
}
