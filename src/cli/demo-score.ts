/** What a subscriber got, held against what the simulated cluster wrote. */
export interface Written {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Milliseconds since 1970, with fractions. */
  readonly at: number;
}

/** What the subscriber knows of an event: nothing but the CloudEvent. */
export interface Arrived {
  readonly id: string;
  readonly partitionkey: string;
  readonly sequence: string;
}

export interface DemoResult {
  readonly emitted: number;
  readonly delivered: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly outOfOrder: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly rssMiB: number;
}

export class Scoreboard {
  /** When each event first arrived, by id. */
  readonly #arrived = new Map<string, number>();
  readonly #newest = new Map<string, string>();
  #duplicates = 0;
  #outOfOrder = 0;

  get delivered(): number {
    return this.#arrived.size;
  }

  /** An event of an object that comes after a newer one of it is out of order, unless it is a repeat. */
  arrived({ id, partitionkey, sequence }: Arrived, at: number): void {
    if (this.#arrived.has(id)) {
      this.#duplicates += 1;
      return;
    }
    this.#arrived.set(id, at);
    const newest = this.#newest.get(partitionkey);
    if (newest !== undefined && newest > sequence) this.#outOfOrder += 1;
    else this.#newest.set(partitionkey, sequence);
  }

  result(written: Iterable<Written>, rssMiB: number): DemoResult {
    let emitted = 0;
    let missing = 0;
    const latencies: number[] = [];
    for (const { uid, resourceVersion, at } of written) {
      emitted += 1;
      const arrivedAt = this.#arrived.get(`${uid}.${resourceVersion}`);
      if (arrivedAt === undefined) missing += 1;
      else latencies.push(arrivedAt - at);
    }
    latencies.sort((a, b) => a - b);
    const at = (share: number) => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 10) / 10;
    return {
      emitted,
      delivered: this.delivered,
      missing,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      latencyMs: { p50: at(0.5), p99: at(0.99) },
      rssMiB,
    };
  }
}
