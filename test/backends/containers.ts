/**
 * Real backends as containers, where a Docker engine answers: one broker each, without logins and TLS. A test that
 * needs those, or that kills its backend, starts a program instead. Image names come from variables, for mirrors.
 *
 * Kafka and the API server tell clients an address or prove it by a certificate, so each container gets a host port
 * that is chosen before it starts, and serves on that same number.
 */
import { existsSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GenericContainer } from 'testcontainers';
import { createCertificates } from './certificates.ts';
import { type KafkaAddress, kafkaReady } from './kafka.ts';
import { ADMIN_TOKEN, apiserverFlags, type KubeAddress, kubeReady, writeIdentities } from './kube.ts';
import type { MosquittoAddress } from './mosquitto.ts';
import { type NatsAddress, natsReady } from './nats.ts';
import { freePort, until } from './process.ts';
import type { PubSubAddress } from './pubsub.ts';
import { handOver, type Started } from './source.ts';

const IMAGES = {
  KAFKA: 'apache/kafka:4.1.2',
  MOSQUITTO: 'eclipse-mosquitto:2',
  NATS: 'nats:2',
  PUBSUB: 'gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators',
  ETCD: 'registry.k8s.io/etcd:3.6.8-0',
  KUBE_APISERVER: 'registry.k8s.io/kube-apiserver:v1.36.3',
} as const;

/** Whether it is worth asking for an engine at all: testcontainers takes long to find out that there is none. */
export function dockerIsLikely(): boolean {
  const runtime = process.env.XDG_RUNTIME_DIR ?? '';
  const sockets = ['/var/run/docker.sock', join(runtime, 'docker.sock'), join(homedir(), '.docker/run/docker.sock')];
  return process.env.DOCKER_HOST !== undefined || sockets.some(existsSync);
}

export async function kafkaContainer(): Promise<Started<KafkaAddress>> {
  const port = await freePort();
  const bootstrap = `127.0.0.1:${port}`;
  const container = (await image('KAFKA')).withExposedPorts({ container: port, host: port }).withEnvironment({
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: `PLAIN://0.0.0.0:${port},CONTROLLER://127.0.0.1:9093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAIN://${bootstrap}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAIN',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@127.0.0.1:9093',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
  });
  return run(container, { bootstrap }, () => kafkaReady(bootstrap));
}

export async function mosquittoContainer(): Promise<Started<MosquittoAddress>> {
  const port = await freePort();
  const lines = [`listener ${port} 0.0.0.0`, 'allow_anonymous true', 'max_queued_messages 0'];
  const container = (await image('MOSQUITTO'))
    .withExposedPorts({ container: port, host: port })
    .withCopyContentToContainer([{ content: `${lines.join('\n')}\n`, target: '/mosquitto/config/mosquitto.conf' }]);
  return run(container, { url: `mqtt://127.0.0.1:${port}` });
}

export async function natsContainer(): Promise<Started<NatsAddress>> {
  const port = await freePort();
  const address = { url: `nats://127.0.0.1:${port}` };
  const container = (await image('NATS'))
    .withExposedPorts({ container: port, host: port })
    .withCommand(['--jetstream', '--store_dir', '/tmp/jetstream', '--port', `${port}`]);
  return run(container, address, () => natsReady(address));
}

export async function pubSubContainer(): Promise<Started<PubSubAddress>> {
  const port = await freePort();
  const container = (await image('PUBSUB'))
    .withExposedPorts({ container: port, host: port })
    .withCommand(['gcloud', 'beta', 'emulators', 'pubsub', 'start', `--host-port=0.0.0.0:${port}`]);
  return run(container, { endpoint: `127.0.0.1:${port}` });
}

export async function kubeContainers(): Promise<Started<KubeAddress>> {
  await using scope = new AsyncDisposableStack();
  const { Network } = await import('testcontainers');
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-kube-'))).path;
  const network = scope.use(await new Network().start());
  const [etcdPort, port, certificates] = [await freePort(), await freePort(), await createCertificates(directory)];
  const etcd = (await image('ETCD'))
    .withNetwork(network)
    .withNetworkAliases('etcd')
    .withExposedPorts({ container: etcdPort, host: etcdPort })
    .withCommand([
      'etcd',
      `--listen-client-urls=http://0.0.0.0:${etcdPort}`,
      `--advertise-client-urls=http://etcd:${etcdPort}`,
    ]);
  scope.use(await etcd.start());
  const { tokens, serviceAccountKey } = await writeIdentities(directory);
  const inside = (file: string) => join('/etc/kube-fanout', file.slice(directory.length));
  const files = [certificates.certFile, certificates.keyFile, tokens, serviceAccountKey];
  const apiserver = (await image('KUBE_APISERVER'))
    .withNetwork(network)
    .withExposedPorts({ container: port, host: port })
    .withCopyFilesToContainer(files.map((source) => ({ source, target: inside(source), mode: 0o644 })))
    .withCommand([
      'kube-apiserver',
      `--etcd-servers=http://etcd:${etcdPort}`,
      `--secure-port=${port}`,
      ...apiserverFlags({
        certFile: inside(certificates.certFile),
        keyFile: inside(certificates.keyFile),
        tokens: inside(tokens),
        serviceAccountKey: inside(serviceAccountKey),
      }),
    ]);
  const address: KubeAddress = {
    server: `https://127.0.0.1:${port}`,
    ca: certificates.ca,
    token: ADMIN_TOKEN,
    etcd: `http://127.0.0.1:${etcdPort}`,
  };
  scope.use(await run(apiserver, address, (signal) => kubeReady(address, signal)));
  return handOver(scope, { address });
}

async function image(name: keyof typeof IMAGES): Promise<GenericContainer> {
  const { GenericContainer } = await import('testcontainers');
  return new GenericContainer(process.env[`KUBE_FANOUT_TEST_IMAGE_${name}`] ?? IMAGES[name]);
}

/** testcontainers waits for the exposed port by itself; `ready` is what more it takes to serve. */
async function run<Address>(
  container: GenericContainer,
  address: Address,
  ready: (signal: AbortSignal) => Promise<unknown> = async () => {},
): Promise<Started<Address>> {
  await using scope = new AsyncDisposableStack();
  scope.use(await container.start());
  await until(ready);
  return handOver(scope, { address });
}
