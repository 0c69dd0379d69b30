import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Addresses } from './backend.ts';
import * as containers from './containers.ts';
import { startKafka } from './kafka.ts';
import { type KubeAddress, startKube } from './kube.ts';
import { exists, goProgramPath, KUBE_APISERVER, missing, PSTEST } from './machine.ts';
import { startMosquitto } from './mosquitto.ts';
import { startNats } from './nats.ts';
import { startPubSub } from './pubsub.ts';
import type { Source } from './source.ts';

/** How each backend is come by. */
export const SOURCES: { readonly [Name in keyof Addresses]: Source<Addresses[Name]> } = {
  kafka: {
    variable: 'KUBE_FANOUT_TEST_KAFKA',
    fromVariable: (bootstrap) => ({ bootstrap }),
    startContainer: containers.kafkaContainer,
    missing: () => missing('java', 'mvn', 'openssl'),
    startProgram: startKafka,
    describe: ({ bootstrap }) => bootstrap,
  },
  mosquitto: {
    variable: 'KUBE_FANOUT_TEST_MOSQUITTO',
    fromVariable: (url) => ({ url }),
    startContainer: containers.mosquittoContainer,
    missing: () => missing('mosquitto', 'mosquitto_passwd', 'openssl'),
    startProgram: startMosquitto,
    describe: ({ url }) => url,
  },
  nats: {
    variable: 'KUBE_FANOUT_TEST_NATS',
    fromVariable: (url) => ({ url }),
    startContainer: containers.natsContainer,
    missing: () => missing('nats-server'),
    startProgram: startNats,
    describe: ({ url }) => url,
  },
  pubsub: {
    variable: 'KUBE_FANOUT_TEST_PUBSUB',
    fromVariable: (endpoint) => ({ endpoint }),
    startContainer: containers.pubSubContainer,
    missing: async () => ((await exists(await goProgramPath(PSTEST))) ? [] : missing('go')),
    startProgram: startPubSub,
    describe: ({ endpoint }) => endpoint,
  },
  kube: {
    variable: 'KUBE_FANOUT_TEST_KUBECONFIG',
    fromVariable: kubeFromVariable,
    startContainer: containers.kubeContainers,
    missing: missingForKube,
    startProgram: startKube,
    describe: ({ server }) => server,
  },
};

async function missingForKube(): Promise<readonly string[]> {
  const built = process.env.KUBE_APISERVER !== undefined || (await exists(await goProgramPath(KUBE_APISERVER)));
  return missing('etcd', 'openssl', ...(built ? [] : ['go']));
}

/** Only what such a kubeconfig needs: one cluster, and a token that may do everything. */
const Kubeconfig = z.object({
  clusters: z.tuple([
    z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.base64() }) }),
  ]),
  users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]),
});

async function kubeFromVariable(path: string): Promise<KubeAddress> {
  const { clusters, users } = Kubeconfig.parse(parse(await readFile(path, 'utf8')));
  const { server, 'certificate-authority-data': ca } = clusters[0].cluster;
  const etcd = process.env.KUBE_FANOUT_TEST_ETCD;
  return { server, ca: Buffer.from(ca, 'base64').toString(), token: users[0].user.token, ...(etcd && { etcd }) };
}
