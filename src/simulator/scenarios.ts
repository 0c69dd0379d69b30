import {
  container,
  deployment,
  deploymentController,
  kernelMonitor,
  kubelet,
  node,
  nodeByName,
  nodeController,
  placed,
  pod,
  replicaSet,
  replicaSetController,
  type Step,
  schedulerInVain,
  startOf,
  taintController,
} from './cast.ts';

export interface Scenario {
  /** What happens, in a sentence. */
  readonly sentence: string;
  /** The same for every run in a namespace. */
  steps(namespace: string): Iterable<Step>;
}

function* crashloop(namespace: string): Generator<Step> {
  const checkout = pod(namespace, 'checkout-7d9c5b6f4-x2lqv');
  const app = container(checkout, 'app');
  const say = kubelet('node-1');
  yield placed(checkout, 'node-1');
  yield* startOf(checkout, 'app', 'registry.example/checkout:1.8.0', 'node-1');
  for (const seconds of [10, 20, 40, 80, 160]) {
    yield say(2, app, {
      reason: 'BackOff',
      message: `Container app of pod ${checkout.name} has failed; waiting before it is started again`,
      warning: true,
    });
    yield {
      ...say(seconds / 2, app, {
        reason: 'Pulled',
        message: 'Image "registry.example/checkout:1.8.0" is on the node already',
      }),
    };
    yield say(0.3, app, { reason: 'Created', message: 'Container app has been created' });
    yield say(0.3, app, { reason: 'Started', message: 'Container app has been started' });
    yield say(1, app, {
      reason: 'Unhealthy',
      message: 'Readiness probe failed: GET http://10.1.4.17:8080/healthz: connection refused',
      warning: true,
    });
  }
}

function* nodeLost(namespace: string): Generator<Step> {
  const lost = node('node-2');
  const pods = ['cart-5f6d8c9b7-4kzmn', 'search-6b7f9d8c5-h8w2t', 'ledger-0'].map((name) => pod(namespace, name));
  yield nodeController(0, lost, {
    reason: 'NodeNotReady',
    message: 'Node node-2 has changed its status to NodeNotReady',
  });
  for (const each of pods) {
    yield nodeController(0.2, each, { reason: 'NodeNotReady', message: 'The node is not ready', warning: true });
  }
  for (const each of pods) {
    yield taintController(10, each, {
      reason: 'TaintManagerEviction',
      message: `Pod ${namespace}/${each.name} is to be deleted: it does not tolerate its node's taint`,
    });
  }
  const successor = pod(namespace, 'cart-5f6d8c9b7-q9xvd');
  yield replicaSetController(1, replicaSet(namespace, 'cart-5f6d8c9b7'), {
    reason: 'SuccessfulCreate',
    message: `Pod ${successor.name} has been created`,
  });
  yield schedulerInVain(0.5, successor, {
    reason: 'FailedScheduling',
    message: '0/3 nodes are available: 1 is unreachable, 2 have too little memory',
    warning: true,
  });
  yield kubelet('node-2')(20, nodeByName('node-2'), { reason: 'Starting', message: 'The kubelet is starting' });
  yield kubelet('node-2')(1, nodeByName('node-2'), {
    reason: 'NodeReady',
    message: 'Node node-2 has changed its status to NodeReady',
  });
  yield nodeController(1, lost, { reason: 'RegisteredNode', message: 'Node node-2 is known to the controller' });
  yield placed(successor, 'node-2');
  yield* startOf(successor, 'cart', 'registry.example/cart:3.1.4', 'node-2');
}

function* imagePull(namespace: string): Generator<Step> {
  const report = pod(namespace, 'report-29417280-7v5wd');
  const about = container(report, 'report');
  const image = 'registry.example/report:2.0.1-typo';
  const say = kubelet('node-3');
  yield placed(report, 'node-3');
  for (const seconds of [1, 14, 27, 53, 92]) {
    yield say(seconds, about, { reason: 'Pulling', message: `Image "${image}" is being pulled` });
    yield say(1, about, {
      reason: 'Failed',
      message: `Image "${image}" could not be pulled: the registry knows no such tag`,
      warning: true,
    });
    yield say(0.1, about, { reason: 'Failed', message: 'Error: ErrImagePull', warning: true });
    yield say(5, about, { reason: 'BackOff', message: `Waiting before image "${image}" is pulled again` });
    yield say(0.1, about, { reason: 'Failed', message: 'Error: ImagePullBackOff', warning: true });
  }
}

function* oom(namespace: string): Generator<Step> {
  const model = pod(namespace, 'recommend-84f7b6d9c-m3r8k');
  const host = 'node-1';
  yield placed(model, host);
  yield* startOf(model, 'model', 'registry.example/recommend:0.9.2', host);
  for (let kill = 1; kill <= 3; kill++) {
    yield kernelMonitor(host)(15, nodeByName(host), {
      reason: 'OOMKilling',
      message: `Out of memory: process ${4200 + kill} (python3) has been killed, it held 2097152 kB`,
      warning: true,
    });
    yield kubelet(host)(0.2, nodeByName(host), {
      reason: 'SystemOOM',
      message: `The system ran out of memory, victim: python3, pid: ${4200 + kill}`,
      warning: true,
    });
    yield* startOf(model, 'model', 'registry.example/recommend:0.9.2', host);
  }
  yield kubelet(host)(10, nodeByName(host), {
    reason: 'NodeHasInsufficientMemory',
    message: 'Node node-1 has changed its status to NodeHasInsufficientMemory',
  });
  yield kubelet(host)(5, model, {
    reason: 'Evicted',
    message: 'The node was low on memory; container model was using 2 GiB and had asked for 512 MiB',
    warning: true,
  });
}

function* deploy(namespace: string): Generator<Step> {
  const web = deployment(namespace, 'web');
  const before = replicaSet(namespace, 'web-6c8d7f5b9');
  const after = replicaSet(namespace, 'web-74b9c6d8f');
  const suffixes = ['2bqkz', '8mwtp', 'zr4vx'];
  for (const [i, suffix] of suffixes.entries()) {
    const fresh = pod(namespace, `${after.name}-${suffix}`);
    const old = pod(namespace, `${before.name}-${suffix}`);
    const host = `node-${i + 1}`;
    yield deploymentController(i === 0 ? 0 : 2, web, {
      reason: 'ScalingReplicaSet',
      message: `Replica set ${after.name} is scaled up from ${i} to ${i + 1}`,
    });
    yield replicaSetController(0.2, after, {
      reason: 'SuccessfulCreate',
      message: `Pod ${fresh.name} has been created`,
    });
    yield placed(fresh, host);
    yield* startOf(fresh, 'web', 'registry.example/web:2.4.0', host);
    yield deploymentController(3, web, {
      reason: 'ScalingReplicaSet',
      message: `Replica set ${before.name} is scaled down from ${3 - i} to ${2 - i}`,
    });
    yield replicaSetController(0.2, before, {
      reason: 'SuccessfulDelete',
      message: `Pod ${old.name} has been deleted`,
    });
    yield kubelet(host)(0.3, container(old, 'web'), { reason: 'Killing', message: 'Container web is being stopped' });
  }
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  crashloop: { sentence: 'A container fails over and over: BackOff warnings whose counts go up.', steps: crashloop },
  'node-lost': { sentence: 'A node stops answering, its pods are evicted, it comes back.', steps: nodeLost },
  'image-pull': { sentence: 'A tag that does not exist: ErrImagePull, then ImagePullBackOff.', steps: imagePull },
  oom: { sentence: 'A process eats the memory of its node, is killed three times, and its pod evicted.', steps: oom },
  deploy: { sentence: 'A rolling update of three replicas, without trouble.', steps: deploy },
};
