import { expect, test } from 'vitest';
import { z } from 'zod';
import { adapterTypes } from '../../adapters/registry.ts';
import { loadConfig } from '../../src/config/load.ts';
import { manifest, manifests, textOf } from './files.ts';

const Deployment = z.object({
  spec: z.object({
    replicas: z.number(),
    strategy: z.unknown(),
    template: z.object({
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([
          z.looseObject({
            args: z.array(z.string()),
            ports: z.array(z.looseObject({ containerPort: z.number() })),
            volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
          }),
        ]),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  }),
});
const { spec } = manifest('Deployment', Deployment);
const [container] = spec.template.spec.containers;
const { data } = manifest('ConfigMap', z.object({ data: z.record(z.string(), z.string()) }));

test('the manifests hold one of each that is needed, the namespace first', () => {
  expect(manifests().map(({ kind }) => kind)).toEqual([
    'Namespace',
    'ServiceAccount',
    'ClusterRole',
    'ClusterRoleBinding',
    'ConfigMap',
    'Deployment',
  ]);
});

test('the daemon may read Events and nothing else', () => {
  const { rules } = manifest('ClusterRole', z.looseObject({ rules: z.array(z.unknown()) }));
  expect(rules).toEqual([{ apiGroups: [''], resources: ['events'], verbs: ['get', 'list', 'watch'] }]);
});

test('there is never more than one daemon, not even during an update', () => {
  expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
});

test('the config in the ConfigMap is valid, and the daemon is told to read it', () => {
  const [[file, text]] = z.tuple([z.tuple([z.string(), z.string()])]).parse(Object.entries(data));
  expect(loadConfig(text, { file, adapters: adapterTypes })).not.toHaveProperty('diagnostics');
  const mount = container.volumeMounts.find(({ name }) => name === 'config');
  expect(container.args).toEqual(['run', '-c', `${mount?.mountPath}/${file}`]);
});

test('the config is mounted as a folder, so that a change of it is seen', () => {
  expect(container.volumeMounts.every((mount) => !('subPath' in mount))).toBe(true);
});

test('the journal and the metrics are where the config says', () => {
  const text = Object.values(data).join();
  const journal = container.volumeMounts.find(({ name }) => name === 'journal');
  expect(text).toContain(`path: ${journal?.mountPath}/journal.db`);
  expect(text).toContain(`port: ${container.ports[0]?.containerPort}`);
  expect(spec.template.spec.volumes.map(({ name }) => name)).toEqual(container.volumeMounts.map(({ name }) => name));
});

test('Kubernetes waits longer for the daemon to stop than the daemon waits for its brokers', async () => {
  const { GRACE_MS } = await import('../../src/cli/stop-signals.ts');
  expect(spec.template.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(2 * GRACE_MS);
  expect(textOf('docker-compose.yml')).toContain(
    `stop_grace_period: ${spec.template.spec.terminationGracePeriodSeconds}s`,
  );
});
