/**
 * The keys of a store in their order, for lists. Writers come by the thousand and lists seldom, so changes are only
 * noted, and merged when somebody looks: one pass, instead of a search and a shift for each write.
 */
export class SortedKeys {
  #sorted: string[] = [];
  readonly #fresh = new Set<string>();
  readonly #gone = new Set<string>();

  add(key: string): void {
    if (!this.#gone.delete(key)) this.#fresh.add(key);
  }

  remove(key: string): void {
    if (!this.#fresh.delete(key)) this.#gone.add(key);
  }

  /** The keys k with from <= k < to, in order; `to` undefined is no end. */
  *range(from: string, to: string | undefined): Generator<string> {
    const keys = this.#merged();
    for (let i = lowerBound(keys, from); i < keys.length; i++) {
      const key = keys[i];
      if (key === undefined || (to !== undefined && key >= to)) return;
      yield key;
    }
  }

  /** How many there are in such a range. */
  count(from: string, to: string | undefined): number {
    const keys = this.#merged();
    return Math.max(0, (to === undefined ? keys.length : lowerBound(keys, to)) - lowerBound(keys, from));
  }

  #merged(): readonly string[] {
    if (this.#fresh.size === 0 && this.#gone.size === 0) return this.#sorted;
    const fresh = [...this.#fresh].sort();
    const merged: string[] = [];
    let next = 0;
    for (const key of this.#sorted) {
      if (this.#gone.has(key)) continue;
      for (let f = fresh[next]; f !== undefined && f < key; f = fresh[next]) {
        merged.push(f);
        next++;
      }
      merged.push(key);
    }
    for (; next < fresh.length; next++) merged.push(fresh[next] ?? '');
    this.#fresh.clear();
    this.#gone.clear();
    this.#sorted = merged;
    return merged;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
