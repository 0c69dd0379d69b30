import type { ApiPath, Verb } from './api-path.ts';
import { ApiError } from './status.ts';

/** Who a bearer token belongs to, and what that user may do with Events and namespaces. */
interface User {
  readonly name: string;
  /** All of them without this. */
  readonly verbs?: readonly Verb[];
  /** The namespaces whose Events the user may touch; without this all, and the list over all of them. */
  readonly namespaces?: readonly string[];
}

export type Tokens = Readonly<Record<string, User>>;

const ANONYMOUS: User = { name: 'system:anonymous', verbs: [] };

/** Throws 401 for an unknown token, and 403 for what its user may not do. Without tokens everybody may do all. */
export function authorize(tokens: Tokens | undefined, header: string | undefined, path: ApiPath, verb: Verb): void {
  if (tokens === undefined) return;
  const user = authenticate(tokens, header);
  const verbs = user.verbs ?? [verb];
  const inScope = user.namespaces === undefined || user.namespaces.includes(path.namespace ?? '');
  if (verbs.includes(verb) && inScope) return;
  const group = path.group === 'core' ? '' : path.group;
  const resource = group === '' ? path.resource : `${path.resource}.${group}`;
  const scope = path.namespace === undefined ? 'at the cluster scope' : `in the namespace "${path.namespace}"`;
  const subject = path.name === undefined ? resource : `${resource} "${path.name}"`;
  throw new ApiError({
    code: 403,
    reason: 'Forbidden',
    message:
      `${subject} is forbidden: User "${user.name}" cannot ${verb} resource "${path.resource}" ` +
      `in API group "${group}" ${scope}`,
    details: {
      ...(path.name === undefined ? {} : { name: path.name }),
      ...(group === '' ? {} : { group }),
      kind: path.resource,
    },
  });
}

function authenticate(tokens: Tokens, header: string | undefined): User {
  if (!header) return ANONYMOUS;
  const token = /^Bearer\s+(.+)$/i.exec(header)?.[1] ?? '';
  const user = Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  if (user === undefined) throw new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
  return user;
}
