import { chmod, mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { Secret } from '../../src/secret.ts';
import { findCluster, NoClusterError, type Surroundings } from '../../src/source/find-cluster.ts';

/** Each asks another process, which takes a second or two to load the client library. */
vi.setConfig({ testTimeout: 30_000 });

const { signal } = new AbortController();
const AMBIENT = { kind: 'ambient' } as const;

async function surroundings() {
  const directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-cluster-'));
  const around: Surroundings = { env: {}, home: directory.path, serviceAccount: join(directory.path, 'account') };
  return { around, path: directory.path, [Symbol.asyncDispose]: () => directory.remove() };
}

function kubeconfig(user: object, { name = 'kind-dev', server = 'https://127.0.0.1:6443' } = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user: name } }],
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user }],
  });
}

it('finds the service account of a pod, and reads its token again for each request', async () => {
  await using scene = await surroundings();
  const account = join(scene.path, 'account');
  await mkdir(account);
  await writeFile(join(account, 'ca.crt'), 'the CA');
  await writeFile(join(account, 'namespace'), 'web');
  await writeFile(join(account, 'token'), 'first\n');
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
  const cluster = await findCluster(AMBIENT, signal, { ...scene.around, env });
  expect(cluster.server.origin).toBe('https://[fd00::1]:6443');
  expect(cluster.ca).toBe('the CA');
  expect(await cluster.token()).toBe('first');
  await writeFile(join(account, 'token'), 'second');
  expect(await cluster.token()).toBe('second');
});

it('finds the current context of the usual kubeconfig, whose name is the name of the cluster', async () => {
  await using scene = await surroundings();
  await mkdir(join(scene.path, '.kube'));
  await writeFile(join(scene.path, '.kube', 'config'), kubeconfig({ token: 'abc' }));
  const cluster = await findCluster(AMBIENT, signal, scene.around);
  expect(cluster.name).toBe('kind-dev');
  expect(cluster.server.origin).toBe('https://127.0.0.1:6443');
  expect(cluster.headers).toEqual({ Authorization: 'Bearer abc' });
});

it('takes the files of KUBECONFIG together: client certificates, and the plain HTTP that kubectl proxy speaks', async () => {
  await using scene = await surroundings();
  const [first, second] = [join(scene.path, 'first'), join(scene.path, 'second')];
  await writeFile(first, kubeconfig({ 'client-certificate': 'cert.pem', 'client-key': 'key.pem' }));
  await writeFile(join(scene.path, 'cert.pem'), 'a certificate');
  await writeFile(join(scene.path, 'key.pem'), 'a key');
  await writeFile(second, kubeconfig({}, { name: 'proxy', server: 'http://127.0.0.1:8001' }));
  const around = { ...scene.around, env: { KUBECONFIG: `${first}:${second}` } };
  expect(await findCluster(AMBIENT, signal, around)).toMatchObject({ cert: 'a certificate', key: 'a key' });
  const proxied = await findCluster({ kind: 'kubeconfig', path: undefined, context: 'proxy' }, signal, around);
  expect(proxied.server.origin).toBe('http://127.0.0.1:8001');
});

it('runs the plugin that a kubeconfig names, and again when the credentials are to be renewed', async () => {
  await using scene = await surroundings();
  const [plugin, config] = [join(scene.path, 'login'), join(scene.path, 'config')];
  const credential =
    '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t\'$n\'"}}';
  const count = join(scene.path, 'count');
  await writeFile(plugin, `#!/bin/sh\necho >> ${count}\nn=$(wc -l < ${count})\necho '${credential}'\n`);
  await chmod(plugin, 0o755);
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' };
  await writeFile(config, kubeconfig({ exec }));
  const cluster = await findCluster({ kind: 'kubeconfig', path: config, context: undefined }, signal, scene.around);
  expect(cluster.headers).toEqual({ Authorization: 'Bearer t1' });
  expect((await cluster.renew?.(signal))?.headers).toEqual({ Authorization: 'Bearer t2' });
});

it('says that there is no cluster, and where it looked', async () => {
  await using scene = await surroundings();
  const looking = findCluster(AMBIENT, signal, scene.around);
  await expect(looking).rejects.toBeInstanceOf(NoClusterError);
  await expect(looking).rejects.toThrow(join(scene.path, '.kube', 'config'));
});

it('says which contexts there are when the one that is named is not among them', async () => {
  await using scene = await surroundings();
  await writeFile(join(scene.path, 'config'), kubeconfig({}));
  const choice = { kind: 'kubeconfig', path: join(scene.path, 'config'), context: 'prod' } as const;
  await expect(findCluster(choice, signal, scene.around)).rejects.toThrow(
    'has no context prod with a cluster; it has kind-dev',
  );
});

it('says what is wrong with a kubeconfig that cannot be read', async () => {
  await using scene = await surroundings();
  await writeFile(join(scene.path, 'config'), 'clusters: [');
  const choice = { kind: 'kubeconfig', path: join(scene.path, 'config'), context: undefined } as const;
  await expect(findCluster(choice, signal, scene.around)).rejects.toThrow('does not work');
});

it('takes a server that the config names, with its token', async () => {
  const choice = {
    kind: 'server',
    url: 'http://127.0.0.1:8001/prefix',
    caFile: undefined,
    token: Secret.of('x'),
  } as const;
  const cluster = await findCluster(choice, signal);
  expect(cluster.server.pathname).toBe('/prefix');
  expect(await cluster.token()).toBe('x');
});
