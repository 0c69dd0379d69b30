/** Backups of etcd, taken and restored as an operator does it. */
import { rm } from 'node:fs/promises';
import { etcdEndpoint } from './etcd-client.ts';
import type { KubeAddress, KubeBackend } from './kube.ts';
import { command } from './machine.ts';

export async function saveBackup(kube: KubeAddress, file: string): Promise<void> {
  await command('etcdctl', ['--endpoints', etcdEndpoint(kube), 'snapshot', 'save', file]);
}

/** The API server and etcd are down meanwhile; settles when both serve again. */
export async function restoreBackup({ apiserver, etcd, etcdHome }: KubeBackend, file: string): Promise<void> {
  await apiserver.kill();
  await etcd.stop();
  const { data, peer } = etcdHome;
  await rm(data, { recursive: true });
  const self = [`--initial-cluster=default=${peer}`, `--initial-advertise-peer-urls=${peer}`];
  await command('etcdctl', ['snapshot', 'restore', file, `--data-dir=${data}`, '--name=default', ...self]);
  await etcd.start();
  await apiserver.start();
}
