import { cp, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { type Certificates, createCertificates } from './certificates.ts';
import { JVM, KAFKA_LOGIN, kafkaHome, propertiesFile } from './kafka-home.ts';
import { locate } from './machine.ts';
import { freePort, Program } from './process.ts';
import { handOver, type Started } from './source.ts';

/** Kafka 4.1, one node. It creates no topic by itself, and a batch of records holds at most its default of 1,048,588 bytes. */
export interface KafkaAddress {
  /** Needs no login and may do everything; of several nodes separated by commas. */
  readonly bootstrap: string;
  /** The same broker with a login by PLAIN or SCRAM-SHA-512, which may do what no ACL of a test forbids. */
  readonly sasl?: KafkaLogin;
  /** The same broker with that login over TLS. */
  readonly tls?: KafkaLogin & { readonly ca: string };
}

interface KafkaLogin {
  readonly bootstrap: string;
  readonly username: string;
  readonly password: string;
}

export interface KafkaOptions {
  /** Entries of server.properties that join or replace ours. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Puts something before one more listener on that port, and gives the port that clients of it are told. */
  readonly front?: (port: number) => Promise<number>;
}

export interface KafkaBackend extends Started<KafkaAddress> {
  readonly program: Program;
}

const LOGGING = ['-Dorg.slf4j.simpleLogger.showDateTime=true', '-Dlog4j2.statusLoggerLevel=OFF'];

export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBackend> {
  await using scope = new AsyncDisposableStack();
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-kafka-'))).path;
  const [home, certificates, ports] = await Promise.all([kafkaHome(), createCertificates(directory), choosePorts()]);
  const [data, identity] = [join(directory, 'data'), join(directory, 'identity.pem')];
  await cp(home.data, data, { recursive: true });
  await writeFile(
    identity,
    (await readFile(certificates.keyFile, 'utf8')) + (await readFile(certificates.certFile, 'utf8')),
  );
  const fronted = options.front && { port: ports.front, told: await options.front(ports.front) };
  const whole = { ...node(ports, data, fronted), ...SMALL, ...security(certificates, identity) };
  const properties = { ...whole, ...options.properties };
  const address: KafkaAddress = {
    bootstrap: `127.0.0.1:${ports.plain}`,
    sasl: { bootstrap: `127.0.0.1:${ports.sasl}`, ...KAFKA_LOGIN },
    tls: { bootstrap: `127.0.0.1:${ports.tls}`, ...KAFKA_LOGIN, ca: certificates.ca },
  };
  const program = scope.use(await startNode(directory, properties, address.bootstrap));
  return handOver(scope, { address, program });
}

/** A broker with these properties, which keeps its log in that directory; it serves when `bootstrap` does. */
export async function startNode(
  directory: string,
  properties: Readonly<Record<string, string>>,
  bootstrap: string,
): Promise<Program> {
  const home = await kafkaHome();
  const file = join(directory, 'server.properties');
  await writeFile(file, propertiesFile(properties));
  const java = ['-cp', home.classPath, ...JVM, `-XX:SharedArchiveFile=${home.archive}`, ...LOGGING];
  return Program.start({
    name: 'kafka',
    command: (await locate('java')) ?? 'java',
    args: [...java, 'kafka.Kafka', file],
    log: join(directory, 'kafka.log'),
    ready: () => kafkaReady(bootstrap),
  });
}

/** The broker has joined the cluster that it alone forms, and answers clients. */
export async function kafkaReady(bootstrap: string): Promise<void> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length === 0) throw new Error('No broker has joined yet.');
  } finally {
    await admin.disconnect();
  }
}

interface Ports {
  readonly plain: number;
  readonly sasl: number;
  readonly tls: number;
  readonly front: number;
  readonly controller: number;
}

async function choosePorts(): Promise<Ports> {
  const [plain, sasl, tls] = [await freePort(), await freePort(), await freePort()];
  return { plain, sasl, tls, front: await freePort(), controller: await freePort() };
}

/** One process that is controller and broker (KRaft). */
function node(ports: Ports, data: string, front?: { port: number; told: number }): Record<string, string> {
  const direct = `PLAIN://127.0.0.1:${ports.plain},SASL://127.0.0.1:${ports.sasl},TLS://127.0.0.1:${ports.tls}`;
  const clients = (port?: number) => (port === undefined ? direct : `${direct},FRONT://127.0.0.1:${port}`);
  const controller = `127.0.0.1:${ports.controller}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    listeners: `${clients(front?.port)},CONTROLLER://${controller}`,
    'advertised.listeners': clients(front?.told),
    'listener.security.protocol.map':
      'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,FRONT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
  };
}

/** What makes a cluster of one node complete, and quick to start. */
export const SMALL: Readonly<Record<string, string>> = {
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'log.cleaner.dedupe.buffer.size': '4194304',
  // A broker that was killed may join again once its last session is over: 9 s by default.
  'broker.session.timeout.ms': '1500',
  'broker.heartbeat.interval.ms': '250',
  'num.network.threads': '2',
  'num.io.threads': '4',
};

/** Logins and TLS on two of the listeners; ACLs bind only those who log in. */
function security({ caFile }: Certificates, identity: string): Record<string, string> {
  const { username, password } = KAFKA_LOGIN;
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const mechanisms = ['sasl', 'tls'].flatMap((listener) => [
    [`listener.name.${listener}.sasl.enabled.mechanisms`, 'PLAIN,SCRAM-SHA-512'],
    [`listener.name.${listener}.plain.sasl.jaas.config`, plain],
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`, scram],
  ]);
  return {
    ...Object.fromEntries(mechanisms),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': identity,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': caFile,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': 'true',
  };
}
