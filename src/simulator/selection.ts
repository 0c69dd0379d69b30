import type { ListOptions } from './list-options.ts';
import type { Revision } from './revision.ts';
import { type Selectable, selectableOf } from './selector.ts';
import { eventOf } from './shape.ts';

/** Which Events a list or a watch is about: those of a namespace, if there is one, that its selectors match. */
export class Selection {
  /** Keys k with from <= k < to are looked at. */
  readonly from: string;
  readonly to: string | undefined;
  /** What a key begins with and a continue token leaves out. */
  readonly prefix: string;
  /** Every Event in the range is selected. */
  readonly all: boolean;
  readonly #options: Pick<ListOptions, 'fields' | 'labels'>;

  constructor(path: { namespace: string | undefined }, options: Pick<ListOptions, 'fields' | 'labels'>) {
    const namespace = path.namespace ?? options.fields.required('metadata.namespace');
    this.prefix = namespace === undefined ? '' : `${namespace}/`;
    const name = namespace === undefined ? undefined : options.fields.required('metadata.name');
    this.from = this.prefix + (name ?? '');
    this.to = endOfRange(namespace, name);
    this.all = options.fields.isEmpty && options.labels.isEmpty;
    this.#options = options;
  }

  matches(revision: Revision | undefined): boolean {
    if (revision === undefined || revision.type === 'DELETED') return false;
    return this.covers(revision) && (this.all || this.#selects(revision));
  }

  /** Whether its key lies in the range, whatever its fields say. */
  covers({ key }: Revision): boolean {
    return key >= this.from && (this.to === undefined || key < this.to);
  }

  #selects(revision: Revision): boolean {
    const known = selectable.get(revision) ?? selectableOf(eventOf(revision));
    selectable.set(revision, known);
    return this.#options.fields.matches(known.field) && this.#options.labels.matches(known.label);
  }
}

/** A revision never changes, and several watches may ask. What can be selected by is kept, the Event is not. */
const selectable = new WeakMap<Revision, Selectable>();

function endOfRange(namespace: string | undefined, name: string | undefined): string | undefined {
  if (namespace === undefined) return undefined;
  return name === undefined ? `${namespace}0` : `${namespace}/${name}\0`;
}
