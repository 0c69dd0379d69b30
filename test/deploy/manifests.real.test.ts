import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { backend } from '../backends/backend.ts';
import { coreEvent } from '../backends/events.ts';
import { type KubeAddress, startKube } from '../backends/kube.ts';
import { type Answer, KubeClient } from '../backends/kube-client.ts';
import { startDaemonProcess, until } from '../main-job/daemon-process.ts';
import { type Manifest, manifest, manifests } from './files.ts';

const kube = backend('kube');

/** Where the API has objects of each kind that the manifests hold. */
const PATHS: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  ServiceAccount: '/api/v1/namespaces/kube-fanout/serviceaccounts',
  ConfigMap: '/api/v1/namespaces/kube-fanout/configmaps',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  Deployment: '/apis/apps/v1/namespaces/kube-fanout/deployments',
};

function pathOf({ kind }: Manifest): string {
  const path = PATHS[kind];
  if (path === undefined) throw new Error(`the test knows no path for ${kind}`);
  return path;
}

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

// An API server of its own, for the names in the manifests are fixed.
describe.skipIf(kube === null || !kube.etcd)('the manifests, on a real API server', () => {
  const scope = new AsyncDisposableStack();
  const accepted: Record<string, Answer> = {};
  let address: KubeAddress;
  let admin: KubeClient;

  beforeAll(async () => {
    address = scope.use(await startKube()).address;
    admin = scope.use(new KubeClient(address));
    for (const each of manifests()) {
      accepted[each.kind] = await admin.send('POST', `${pathOf(each)}?dryRun=All&fieldValidation=Strict`, each);
      await admin.create(pathOf(each), each);
    }
  });
  afterAll(() => scope.disposeAsync());

  test.each(Object.keys(PATHS))('the %s is accepted in a dry run, without an unknown field', (kind) => {
    expect(accepted[kind]).toMatchObject({ status: 201 });
  });

  test('make a pod that the namespace’s own restricted Pod Security takes', async () => {
    const Template = z.looseObject({ spec: z.looseObject({}) });
    const { spec } = manifest('Deployment', z.object({ spec: z.object({ template: Template }) }));
    const pod = { ...spec.template, apiVersion: 'v1', kind: 'Pod', metadata: { name: 'kube-fanout' } };
    const path = '/api/v1/namespaces/kube-fanout/pods?dryRun=All';
    expect(await admin.send('POST', path, pod)).toMatchObject({ status: 201 });
    const { securityContext: _, ...lax } = pod.spec;
    expect(await admin.send('POST', path, { ...pod, spec: lax })).toMatchObject({ status: 403 });
  });

  test('let the daemon read Events with its ServiceAccount’s own token, and do nothing else', async () => {
    const token = await tokenOfTheAccount(admin);
    await using account = new KubeClient({ ...address, token });
    expect((await account.send('GET', '/api/v1/events')).status).toBe(200);
    const forbidden = ['/api/v1/pods', '/api/v1/nodes', '/api/v1/secrets', '/apis/events.k8s.io/v1/events'];
    for (const path of forbidden) {
      expect({ path, status: (await account.send('GET', path)).status }).toEqual({ path, status: 403 });
    }
    const events = '/api/v1/namespaces/default/events';
    const made = coreEvent('made-by-a-reader', { namespace: 'default' });
    expect((await account.send('POST', events, made)).status).toBe(403);

    await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-manifests-'));
    await using daemon = await runAsDeployed(directory.path, address, token);
    await admin.create(events, coreEvent('seen', { namespace: 'default', reason: 'SeenByTheDaemon' }));
    await until('the Event is in the log, as a CloudEvent', async () => {
      const lines = (await readFile(daemon.log, 'utf8')).split('\n');
      return lines.some((line) => line.includes('"specversion":"1.0"') && line.includes('"reason":"SeenByTheDaemon"'));
    });
  });
});

/** As the kubelet would mount it. */
async function tokenOfTheAccount(admin: KubeClient): Promise<string> {
  const path = `${PATHS.ServiceAccount}/kube-fanout/token`;
  const answer = await admin.create(path, { spec: { expirationSeconds: 3600 } });
  return z.object({ status: z.object({ token: z.string() }) }).parse(answer).status.token;
}

/** The daemon with the ConfigMap's brokers and routes; the way to the API server is what a pod would be given. */
async function runAsDeployed(directory: string, kube: KubeAddress, token: string) {
  const { data } = manifest('ConfigMap', z.object({ data: z.record(z.string(), z.string()) }));
  const config = z
    .object({ brokers: z.looseObject({}), routes: z.array(z.looseObject({})) })
    .parse(parse(Object.values(data).join()));
  return startDaemonProcess({ directory, kube, token, ...config });
}
