import { type InvolvedObject, type Occurrence, stableUid } from './occurrence.ts';

/** The objects that the scenarios are about, and the components that speak of them. */
export interface Step {
  /** Seconds after the step before it, in a real cluster. */
  readonly after: number;
  readonly occurrence: Occurrence;
}

interface Happening {
  readonly reason: string;
  readonly message: string;
  readonly warning?: boolean;
}

function object(kind: string, apiVersion: string, namespace: string, name: string): InvolvedObject {
  return { kind, apiVersion, namespace, name, uid: stableUid(kind, namespace, name) };
}

export const pod = (namespace: string, name: string) => object('Pod', 'v1', namespace, name);
export const deployment = (namespace: string, name: string) => object('Deployment', 'apps/v1', namespace, name);
export const replicaSet = (namespace: string, name: string) => object('ReplicaSet', 'apps/v1', namespace, name);
export const node = (name: string) => object('Node', 'v1', '', name);
/** A kubelet takes a Node's name for its uid. */
export const nodeByName = (name: string): InvolvedObject => ({ ...node(name), uid: name });
export const container = (of: InvolvedObject, name: string): InvolvedObject => ({
  ...of,
  fieldPath: `spec.containers{${name}}`,
});

/** A component that runs somewhere and has something to say: `say(after, about, what)`. */
function speaker(component: string, host?: string, action?: string) {
  return (after: number, about: InvolvedObject, { reason, message, warning = false }: Happening): Step => ({
    after,
    occurrence: {
      object: about,
      type: warning ? 'Warning' : 'Normal',
      reason,
      message,
      component,
      ...(host === undefined ? {} : { host }),
      ...(action === undefined ? {} : { action }),
    },
  });
}

export const kubelet = (host: string) => speaker('kubelet', host);
export const kernelMonitor = (host: string) => speaker('kernel-monitor', host);
export const deploymentController = speaker('deployment-controller');
export const replicaSetController = speaker('replicaset-controller');
export const nodeController = speaker('node-controller');
export const taintController = speaker('taint-eviction-controller');
const scheduler = speaker('default-scheduler', undefined, 'Binding');
/** What a scheduler says of a Pod for which it finds no Node. */
export const schedulerInVain = speaker('default-scheduler', undefined, 'Scheduling');

/** A container is brought up: what a kubelet says each time. */
export function* startOf(of: InvolvedObject, name: string, image: string, host: string): Generator<Step> {
  const say = kubelet(host);
  const about = container(of, name);
  yield say(0.5, about, { reason: 'Pulled', message: `Image "${image}" is on the node already` });
  yield say(0.3, about, { reason: 'Created', message: `Container ${name} has been created` });
  yield say(0.3, about, { reason: 'Started', message: `Container ${name} has been started` });
}

/** The scheduler finds a Node for a Pod. */
export function placed(of: InvolvedObject, host: string): Step {
  return scheduler(0.2, of, {
    reason: 'Scheduled',
    message: `${of.namespace}/${of.name} has been given to node ${host}`,
  });
}
