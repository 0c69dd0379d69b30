import type { Group } from './event-object.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** What a request's path names in the Kubernetes API. */
export interface ApiPath {
  readonly group: Group;
  readonly resource: 'events' | 'namespaces';
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

const GROUPS: readonly (readonly [prefix: string, group: Group])[] = [
  ['/api/v1/', 'core'],
  ['/apis/events.k8s.io/v1/', 'events.k8s.io'],
];

/** Undefined for a path inside these groups that names no resource of theirs, null for a path outside of them. */
export function parseApiPath(path: string): ApiPath | undefined | null {
  const [prefix, group] = GROUPS.find(([start]) => path.startsWith(start)) ?? [];
  if (prefix === undefined || group === undefined) return null;
  const parts = path.slice(prefix.length).split('/').map(decode);
  if (parts.some((part) => part === undefined || part === '')) return undefined;
  const [first, second, third, fourth, ...rest] = parts;
  if (rest.length > 0) return undefined;
  if (first === 'events' && second === undefined) {
    return { group, resource: 'events', namespace: undefined, name: undefined };
  }
  if (first !== 'namespaces') return undefined;
  if (third === 'events') return { group, resource: 'events', namespace: second, name: fourth };
  if (third !== undefined || group !== 'core') return undefined;
  return { group, resource: 'namespaces', namespace: undefined, name: second };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
