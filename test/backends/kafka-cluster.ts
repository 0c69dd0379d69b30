import { randomBytes } from 'node:crypto';
import { cp, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMALL, startNode } from './kafka.ts';
import { kafkaHome } from './kafka-home.ts';
import { freePort, type Program } from './process.ts';
import { handOver, type Started } from './source.ts';

/** Three Kafka nodes, each controller and broker: topics have three replicas, two of which must confirm. */
export interface KafkaCluster extends Started<{ readonly bootstrap: string }> {
  readonly nodes: readonly Program[];
}

interface Node {
  readonly id: number;
  readonly port: number;
  readonly controller: number;
}

export async function startKafkaCluster(): Promise<KafkaCluster> {
  await using scope = new AsyncDisposableStack();
  const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-kafka-cluster-')));
  const nodes: Node[] = [];
  for (const id of [1, 2, 3]) nodes.push({ id, port: await freePort(), controller: await freePort() });
  // Each is ready only when a majority is.
  const programs = await Promise.all(nodes.map((node) => start(node, { nodes, directory })));
  for (const program of programs) scope.use(program);
  const bootstrap = nodes.map(({ port }) => `127.0.0.1:${port}`).join();
  return handOver(scope, { address: { bootstrap }, nodes: programs });
}

async function start(
  node: Node,
  { nodes, directory }: { nodes: readonly Node[]; directory: string },
): Promise<Program> {
  const home = await kafkaHome();
  const own = join(directory, `node-${node.id}`);
  const data = join(own, 'data');
  await cp(home.data, data, { recursive: true });
  const meta = join(data, 'meta.properties');
  const text = await readFile(meta, 'utf8');
  const identity = text
    .replace(/^node\.id=.*$/m, `node.id=${node.id}`)
    .replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString('base64url')}`);
  await writeFile(meta, identity);
  return startNode(own, properties(node, nodes, data), `127.0.0.1:${node.port}`);
}

function properties({ id, port, controller }: Node, nodes: readonly Node[], data: string): Record<string, string> {
  return {
    ...SMALL,
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': nodes.map((one) => `${one.id}@127.0.0.1:${one.controller}`).join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    listeners: `PLAIN://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAIN://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    'offsets.topic.replication.factor': '3',
    // Whoever is preferred leads within a second.
    'leader.imbalance.check.interval.seconds': '1',
    'leader.imbalance.per.broker.percentage': '0',
  };
}
