import { continueAfter, inconsistent } from './continue-token.ts';
import { API_VERSION } from './event-object.ts';
import type { ListOptions } from './list-options.ts';
import type { Revision } from './revision.ts';
import type { Selection } from './selection.ts';
import { render, type Shape } from './shape.ts';
import { expired, tooLargeResourceVersion } from './status.ts';
import type { Store } from './store.ts';

/**
 * One page of a list, as JSON. All pages of a list show one state of the whole, that of the first page's revision,
 * which the token carries; when that state has been compacted, a 410 comes with a token that goes on at the present.
 */
export function list(store: Store, selection: Selection, options: ListOptions, shape: Shape): string {
  const revision = revisionToList(store, options);
  const from = options.token === undefined ? selection.from : selection.prefix + options.token.start;
  const items: Revision[] = [];
  let last: string | undefined;
  let more = false;
  for (const state of store.snapshot(revision, from, selection.to)) {
    more = options.limit > 0 && items.length >= options.limit;
    if (more) break;
    last = state.key;
    if (selection.matches(state)) items.push(state);
  }
  const metadata = {
    resourceVersion: String(revision),
    ...(more && last !== undefined ? { continue: continueAfter(last.slice(selection.prefix.length), revision) } : {}),
    ...(more && selection.all ? { remainingItemCount: store.count(revision, `${last}\0`, selection.to) } : {}),
  };
  return frame(shape, metadata, items);
}

function revisionToList(store: Store, { token, resourceVersion, exact }: ListOptions): number {
  const asked = token === undefined ? resourceVersion : (token.resourceVersion ?? store.revision);
  if (asked > store.revision) throw tooLargeResourceVersion(asked, store.revision);
  if (token === undefined && !exact) return store.revision;
  if (asked < store.compacted) throw expired(token === undefined ? 'list' : { token: inconsistent(token) });
  return asked;
}

const ITEM_HEAD = '{"kind":"Event","apiVersion":"v1",';

/** The items are joined as text: an Event is JSON already. Items of a full list do not say their kind. */
function frame(shape: Shape, metadata: object, items: readonly Revision[]): string {
  const { group, metadataOnly } = shape;
  const kind = metadataOnly ? 'PartialObjectMetadataList' : 'EventList';
  const apiVersion = metadataOnly ? 'meta.k8s.io/v1' : API_VERSION[group];
  const head = JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1);
  const cut = metadataOnly ? 0 : ITEM_HEAD.length + API_VERSION[group].length - API_VERSION.core.length;
  const texts = items.map((item) => (cut === 0 ? '' : '{') + render(item, shape).slice(cut));
  return `${head},"items":[${texts.join(',')}]}`;
}
