/** Objects as kubectl names them: `pod/web-0`, `deploy/api`, `deployments.apps/api`; or as an object key has them. */
import { InvalidArgumentError } from 'commander';

export interface ObjectName {
  /** In lower case, each as it may stand in an object key. */
  readonly kinds: readonly string[];
  /** Only where the name says so itself, as in `Pod/web/web-0`. */
  readonly namespace: string | undefined;
  readonly name: string;
}

/** `kubectl api-resources`, where the short name is not the kind's own beginning with an s at its end. */
const SHORT: Readonly<Record<string, string>> = {
  cm: 'configmap',
  cj: 'cronjob',
  crd: 'customresourcedefinition',
  csr: 'certificatesigningrequest',
  deploy: 'deployment',
  ds: 'daemonset',
  ep: 'endpoints',
  hpa: 'horizontalpodautoscaler',
  ing: 'ingress',
  limits: 'limitrange',
  netpol: 'networkpolicy',
  no: 'node',
  ns: 'namespace',
  pc: 'priorityclass',
  pdb: 'poddisruptionbudget',
  po: 'pod',
  pv: 'persistentvolume',
  pvc: 'persistentvolumeclaim',
  quota: 'resourcequota',
  rc: 'replicationcontroller',
  rs: 'replicaset',
  sa: 'serviceaccount',
  sc: 'storageclass',
  sts: 'statefulset',
  svc: 'service',
};

/** Throws InvalidArgumentError. */
export function objectName(text: string): ObjectName {
  const [type = '', ...rest] = text.split('/');
  const name = rest.at(-1) ?? '';
  if (type === '' || name === '' || rest.length > 2) {
    throw new InvalidArgumentError('Write TYPE/NAME as for kubectl, such as pod/web-0 or deployment.apps/api.');
  }
  return { kinds: kindsOf(type.toLowerCase()), namespace: rest.length === 2 ? rest[0] : undefined, name };
}

/** A plural may be made in three ways, and some kinds end in an s themselves: whichever fits is meant. */
function kindsOf(type: string): readonly string[] {
  const [resource = '', ...group] = type.split('.');
  // kubectl also takes deployments.v1.apps.
  const inGroup = group.filter((part, at) => at > 0 || !/^v\d/.test(part)).map((part) => `.${part}`);
  const kinds = [
    SHORT[resource] ?? resource,
    resource.replace(/ies$/, 'y'),
    resource.replace(/es$/, ''),
    resource.replace(/s$/, ''),
  ];
  return [...new Set(kinds)].map((kind) => `${kind}${inGroup.join('')}`);
}
