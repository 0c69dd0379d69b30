import { type ContinueToken, parseContinueToken } from './continue-token.ts';
import type { Group } from './event-object.ts';
import { checkFields, Selector } from './selector.ts';
import { ApiError, badRequest, invalid } from './status.ts';

/** The query of a list or a watch: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
export interface ListOptions {
  readonly watch: boolean;
  readonly fields: Selector;
  readonly labels: Selector;
  /** 0 for all. */
  readonly limit: number;
  readonly token: ContinueToken | undefined;
  /** 0 for none, and for `0`, which means any. */
  readonly resourceVersion: number;
  readonly exact: boolean;
  readonly timeoutSeconds: number | undefined;
  readonly sendInitialEvents: boolean | undefined;
  readonly bookmarks: boolean;
}

export function parseListOptions(query: URLSearchParams, group: Group, watch: boolean): ListOptions {
  const text = (name: string) => query.get(name) ?? '';
  const limit = Math.max(0, integer(text('limit')) ?? 0);
  const timeoutSeconds = integer(text('timeoutSeconds'));
  const fields = Selector.parse(text('fieldSelector'));
  checkFields(fields, group);
  const labels = Selector.parse(text('labelSelector'));
  checkRules(query, watch);
  const resourceVersion = parseResourceVersion(text('resourceVersion'), watch);
  if (query.has('continue') && resourceVersion > 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const match = text('resourceVersionMatch');
  return {
    watch,
    fields,
    labels,
    limit,
    token: text('continue') === '' ? undefined : parseContinueToken(text('continue')),
    resourceVersion,
    // Without a match, a limit asks for exactly that revision, for such a list could be continued otherwise.
    exact: match === 'Exact' || (match === '' && limit > 0 && resourceVersion > 0),
    timeoutSeconds,
    sendInitialEvents: query.has('sendInitialEvents') ? isTrue(text('sendInitialEvents')) : undefined,
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
  };
}

/** As Go reads a boolean in a query: whatever is there and is not a no. */
export function isTrue(value: string | null): boolean {
  return value !== null && !['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(value);
}

function integer(value: string): number | undefined {
  if (value === '') return undefined;
  if (!/^[+-]?\d+$/.test(value)) throw badRequest(`parsing "${value}": invalid syntax`);
  return Number(value);
}

/** A list says 400 to what is no number, and a watch 500: so does a real one. */
function parseResourceVersion(value: string, watch: boolean): number {
  if (value === '') return 0;
  if (/^\d+$/.test(value)) return Number(value);
  const message = `resourceVersion: Invalid value: "${value}": invalid syntax`;
  throw watch ? new ApiError({ code: 500, message }) : badRequest(`invalid resource version: ${message}`);
}

/** What may not be asked together. */
function checkRules(query: URLSearchParams, watch: boolean): void {
  const match = query.get('resourceVersionMatch') ?? '';
  const resourceVersion = query.get('resourceVersion') ?? '';
  const initial = query.has('sendInitialEvents');
  const causes: { field: string; reason: string; message: string }[] = [];
  const forbid = (field: string, message: string) =>
    causes.push({ field, reason: 'FieldValueForbidden', message: `Forbidden: ${message}` });
  const field = 'resourceVersionMatch';
  if (watch && query.has('continue')) forbid(field, `${field} is forbidden when continue is provided`);
  if (watch && match !== '' && !initial)
    forbid(field, `${field} is forbidden for watch unless sendInitialEvents is set`);
  if (watch && initial && match !== 'NotOlderThan') {
    forbid(field, `sendInitialEvents requires setting ${field} to NotOlderThan`);
  }
  if (!watch && initial) forbid('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  if (!watch && match !== '') {
    if (resourceVersion === '') forbid(field, `${field} is forbidden unless resourceVersion is provided`);
    if (query.has('continue')) forbid(field, `${field} is forbidden when continue is provided`);
    if (match === 'Exact' && resourceVersion === '0') forbid(field, `${field} "exact" is forbidden for "0"`);
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      causes.push({ field, reason: 'FieldValueNotSupported', message: `Unsupported value: "${match}"` });
    }
  }
  if (causes.length > 0) throw invalid({ kind: 'ListOptions', name: '', group: 'meta.k8s.io' }, causes);
}
