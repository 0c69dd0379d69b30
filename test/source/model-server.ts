/** A naive API server in memory: the whole truth about what was written, and what of it can still be read. */
import { parseResourceVersion, positionOf, type ResourceVersion } from '../../src/envelope/position.ts';
import type { NewRecord } from '../../src/journal/record.ts';
import type { Page } from '../../src/source/page.ts';

export interface Write {
  readonly rv: number;
  readonly name: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** Which history wrote it: after a restore the same resourceVersion names other content. */
  readonly era: number;
  readonly uid: string;
  /** Something on the way keeps it from every watch. */
  readonly hidden: boolean;
}

export function version(rv: number): ResourceVersion {
  const parsed = parseResourceVersion(String(rv));
  if (parsed === undefined) throw new Error(`no resourceVersion: ${rv}`);
  return parsed;
}

export function contentOf({ rv, name, era }: Write): string {
  return `${era}/${name}/${rv}`;
}

export function idOf({ rv, uid }: Write): string {
  return `${uid}.${rv}`;
}

const PAGE = 2;

export class ModelServer {
  writes: Write[] = [];
  /** The store's revision; it also moves by what is no Event. */
  revision: number;
  compacted = 0;
  era = 0;
  readonly first: number;
  #uids = 0;

  constructor(first: number) {
    this.first = first;
    this.revision = first;
  }

  noise(): void {
    this.revision += 1;
  }

  /** The name is created, or changed while it lives. */
  write(name: string, hidden = false): void {
    this.revision += 1;
    const known = this.live(this.revision).get(name);
    this.#uids += 1;
    const uid = known?.uid ?? `${name}${this.#uids}`;
    this.writes.push({ rv: this.revision, name, type: known ? 'MODIFIED' : 'ADDED', era: this.era, uid, hidden });
  }

  delete(name: string): void {
    const known = this.live(this.revision).get(name);
    if (known === undefined) return;
    this.revision += 1;
    this.writes.push({ ...known, rv: this.revision, type: 'DELETED', era: this.era, hidden: false });
  }

  compact(): void {
    this.compacted = this.revision;
  }

  /** Back to an older revision, as from a backup: what was written since never happened. */
  restore(back: number): void {
    this.revision = Math.max(this.first + 1, this.revision - back);
    this.compacted = Math.min(this.compacted, this.revision);
    this.writes = this.writes.filter(({ rv }) => rv <= this.revision);
    this.era += 1;
  }

  live(at: number): ReadonlyMap<string, Write> {
    const live = new Map<string, Write>();
    for (const write of this.writes) {
      if (write.rv > at) continue;
      if (write.type === 'DELETED') live.delete(write.name);
      else live.set(write.name, write);
    }
    return live;
  }

  /** One page of a list; 'expired' with a token that goes on in the present when its snapshot is gone. */
  page(token: string | undefined): Page | { readonly expired: string } {
    const [at = this.revision, after = ''] = token === undefined ? [] : JSON.parse(token);
    if (at < this.compacted) return { expired: JSON.stringify([this.revision, after]) };
    const rest = [...this.live(at).values()]
      .filter(({ name }) => name > after)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const items = rest.slice(0, PAGE);
    const more = rest.length > PAGE ? JSON.stringify([at, items.at(-1)?.name]) : undefined;
    return { rv: version(at), records: items.map(recordOf), token: more };
  }

  /** What a watch from `rv` has to say so far, or undefined when that history is gone. */
  since(rv: number): readonly Write[] | undefined {
    return rv < this.compacted ? undefined : this.writes.filter((write) => write.rv > rv);
  }
}

export function recordOf(write: Write): NewRecord {
  const attributes = { id: idOf(write) } as NewRecord['attributes'];
  const data = Buffer.from(contentOf(write));
  return { position: positionOf(version(write.rv)), kind: 'event', key: write.name, origin: 'live', attributes, data };
}
