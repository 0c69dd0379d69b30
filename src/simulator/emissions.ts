import type { Revision } from './revision.ts';

/** One revision of an Event that every watch must have shown: the truth that a checker compares with. */
export interface Emission {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Milliseconds since 1970, with fractions, when it was written. */
  readonly at: number;
}

interface Chunk {
  readonly uids: Float64Array;
  readonly resourceVersions: Float64Array;
  readonly times: Float64Array;
}

const CHUNK = 16_384;

/**
 * Every ADDED and MODIFIED revision, in order, at 24 bytes each: a deletion is no news of an Event. The newest million
 * is kept.
 */
export class Emissions implements Iterable<Emission> {
  readonly #uidOf: (count: number) => string;
  readonly #limit: number;
  readonly #chunks: Chunk[] = [];
  #count = 0;
  #dropped = 0;

  constructor(uidOf: (count: number) => string, limit = 1_000_000) {
    this.#uidOf = uidOf;
    this.#limit = limit;
  }

  /** How many there have been, kept or not. */
  get count(): number {
    return this.#count;
  }

  record({ type, uid, resourceVersion }: Revision): void {
    if (type === 'DELETED') return;
    const at = this.#count % CHUNK;
    if (at === 0) this.#begin();
    const chunk = this.#chunks.at(-1);
    if (chunk === undefined) return;
    chunk.uids[at] = Number.parseInt(uid.slice(-12), 16);
    chunk.resourceVersions[at] = resourceVersion;
    chunk.times[at] = performance.timeOrigin + performance.now();
    this.#count++;
  }

  /** From the n-th on, counted from 0; those that are no longer kept are left out. */
  *from(first: number): Generator<Emission> {
    for (let n = Math.max(first, this.#dropped); n < this.#count; n++) {
      const chunk = this.#chunks[Math.floor((n - this.#dropped) / CHUNK)];
      const at = n % CHUNK;
      const uid = this.#uidOf(chunk?.uids[at] ?? 0);
      yield { uid, resourceVersion: String(chunk?.resourceVersions[at]), at: chunk?.times[at] ?? 0 };
    }
  }

  [Symbol.iterator](): Iterator<Emission> {
    return this.from(0);
  }

  #begin(): void {
    const column = () => new Float64Array(CHUNK);
    this.#chunks.push({ uids: column(), resourceVersions: column(), times: column() });
    if ((this.#chunks.length - 2) * CHUNK < this.#limit) return;
    this.#chunks.shift();
    this.#dropped += CHUNK;
  }
}
