/** A measure of this often, for so long back, in milliseconds. */
const EVERY_MS = 10_000;
const WINDOW_MS = 600_000;
/** A shorter time says nothing: a list brings in a minute what takes an hour else. */
const SHORTEST_MS = 60_000;

interface Sample {
  /** By the steady clock. */
  readonly at: number;
  readonly bytes: number;
}

/** How fast the file has grown in the last ten minutes; what retention deletes meanwhile counts against it. */
export class Growth {
  readonly #samples: Sample[] = [];

  note(bytes: number, at: number): void {
    const last = this.#samples.at(-1);
    if (last && at - last.at < EVERY_MS) return;
    this.#samples.push({ at, bytes });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= WINDOW_MS) this.#samples.shift();
  }

  /** Hours until the file has that size; Infinity while it does not grow, undefined until that can be told. */
  hoursUntil(quota: number, now: Sample): number | undefined {
    const [first] = this.#samples;
    if (!first || now.at - first.at < SHORTEST_MS || !Number.isFinite(quota)) return undefined;
    const perHour = ((now.bytes - first.bytes) / (now.at - first.at)) * 3_600_000;
    if (now.bytes >= quota) return 0;
    return perHour > 0 ? (quota - now.bytes) / perHour : Number.POSITIVE_INFINITY;
  }
}
