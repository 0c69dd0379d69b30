import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { KubeAddress } from './kube.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export interface NewServiceAccount {
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  /** The rules hold in every namespace, not only in its own. */
  readonly everywhere?: boolean;
}

const Token = z.object({ status: z.object({ token: z.string() }) });
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** What a test asks of a real API server, as its administrator. Calls may overlap. */
export class KubeClient implements AsyncDisposable {
  readonly address: KubeAddress;
  readonly #agent: Agent;

  constructor(address: KubeAddress, connections = 8) {
    this.address = address;
    this.#agent = new Agent({ connect: { ca: address.ca }, connections });
  }

  /** Gives whatever the server answers; rejects only when it does not. A patch is a merge patch. */
  async send(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await request(`${this.address.server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.address.token}`, 'content-type': type, accept: 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, body: await answer.body.json() };
  }

  async get(path: string): Promise<unknown> {
    return succeeded('GET', path, await this.send('GET', path));
  }

  async create(path: string, body: unknown): Promise<unknown> {
    return succeeded('POST', path, await this.send('POST', path, body));
  }

  /** A namespace that is nobody else's; no controller is needed for it, nor will any empty it. */
  async createNamespace(prefix = 'test'): Promise<string> {
    const name = `${prefix}-${crypto.randomUUID().slice(0, 8)}`;
    await this.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return name;
  }

  /** Gives the token of a new ServiceAccount that may do what the rules say and nothing else; it lasts two hours. */
  async createServiceAccount({ namespace, name, rules, everywhere = false }: NewServiceAccount): Promise<string> {
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await this.create(accounts, { metadata: { name } });
    const [role, binding] = everywhere ? ['ClusterRole', 'ClusterRoleBinding'] : ['Role', 'RoleBinding'];
    const scope = everywhere ? RBAC : `${RBAC}/namespaces/${namespace}`;
    const metadata = { name: everywhere ? `${namespace}-${name}` : name };
    await this.create(`${scope}/${role.toLowerCase()}s`, { metadata, rules });
    await this.create(`${scope}/${binding.toLowerCase()}s`, {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role, name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    });
    const spec = { expirationSeconds: 7200 };
    return Token.parse(await this.create(`${accounts}/${name}/token`, { spec })).status.token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

function succeeded(method: string, path: string, { status, body }: Answer): unknown {
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** A kubeconfig of one context, with the administrator's token unless another is given. */
export async function writeKubeconfig(file: string, address: KubeAddress, token = address.token): Promise<void> {
  const cluster = { server: address.server, 'certificate-authority-data': Buffer.from(address.ca).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: { token } }],
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
}
