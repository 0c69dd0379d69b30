import { type Revision, sizeOf } from './revision.ts';

/**
 * The revisions that a watch can still be given, oldest first. A place in it is a number that never changes, however
 * much has been dropped before it, so a watch keeps one number and the history is its buffer.
 */
export class History {
  #revisions: (Revision | undefined)[] = [];
  /** Entries at the front of the array that are dropped but not yet cut off. */
  #skipped = 0;
  #first = 0;
  #bytes = 0;

  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#first + this.length;
  }

  get length(): number {
    return this.#revisions.length - this.#skipped;
  }

  get bytes(): number {
    return this.#bytes;
  }

  at(place: number): Revision | undefined {
    return this.#revisions[place - this.#first + this.#skipped];
  }

  push(revision: Revision): void {
    this.#revisions.push(revision);
    this.#bytes += sizeOf(revision);
  }

  pop(): Revision | undefined {
    const revision = this.length > 0 ? this.#revisions.pop() : undefined;
    if (revision !== undefined) this.#bytes -= sizeOf(revision);
    return revision;
  }

  shift(): Revision | undefined {
    const revision = this.at(this.#first);
    if (revision === undefined) return undefined;
    this.#bytes -= sizeOf(revision);
    this.#revisions[this.#skipped++] = undefined;
    this.#first++;
    if (this.#skipped > 10_000 && this.#skipped > this.#revisions.length / 2) {
      this.#revisions = this.#revisions.slice(this.#skipped);
      this.#skipped = 0;
    }
    return revision;
  }

  /** The place of the first revision above `resourceVersion`. */
  after(resourceVersion: number): number {
    let low = this.#first;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.at(middle)?.resourceVersion ?? 0) <= resourceVersion) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
