const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
const EVENTS = {
  name: 'events',
  singularName: 'event',
  namespaced: true,
  kind: 'Event',
  verbs: VERBS,
  shortNames: ['ev'],
};
const NAMESPACES = {
  name: 'namespaces',
  singularName: 'namespace',
  namespaced: false,
  kind: 'Namespace',
  verbs: ['create', 'get', 'list'],
  shortNames: ['ns'],
};
const VERSION = { groupVersion: 'events.k8s.io/v1', version: 'v1' };
const GROUP = { name: 'events.k8s.io', versions: [VERSION], preferredVersion: VERSION };

/** What a client asks before anything else: which version this is, and which resources it has. */
export const DISCOVERY: Readonly<Record<string, object | string>> = {
  '/readyz': 'ok',
  '/livez': 'ok',
  '/healthz': 'ok',
  '/version': { major: '1', minor: '36', gitVersion: 'v1.36.3+simulated', platform: 'linux/amd64' },
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: [EVENTS, NAMESPACES] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [GROUP] },
  '/apis/events.k8s.io': { kind: 'APIGroup', apiVersion: 'v1', ...GROUP },
  '/apis/events.k8s.io/v1': {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'events.k8s.io/v1',
    resources: [EVENTS],
  },
};
