/**
 * What the API server has emitted and what has arrived on each route, by resourceVersion. A long run has millions, so
 * each takes some bytes in arrays and nothing else.
 */

export interface Emission {
  readonly resourceVersion: number;
  /** The same number for every revision of one Event. */
  readonly event: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface Arrival {
  readonly resourceVersion: number;
  /** Of the object that the Event is about: within it the order holds. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What became of everything that was emitted, on one route. */
export interface Tally {
  readonly emitted: number;
  readonly delivered: number;
  /** The API server had it no longer when it was asked, for the Event had changed, and a gap record says so. */
  readonly unrecoverable: number;
  /** Passed over: something newer has arrived. */
  readonly missing: readonly number[];
  /** Newer than all that has arrived. */
  readonly waiting: number;
  /** First arrivals that came behind a newer revision of their object. */
  readonly disorder: readonly number[];
  /** Arrived, and never emitted. */
  readonly unknown: readonly number[];
  readonly repeats: number;
}

/** Of the revisions that were emitted in ten seconds: milliseconds from there to the subscriber. */
export interface Latency {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly p50: number;
  readonly p99: number;
}

const BUCKET_MS = 10_000;

class Route {
  /** Milliseconds from the origin to the first arrival. */
  readonly arrivedAt = new Column(Float32Array, Number.NaN);
  readonly disorder: number[] = [];
  /** By object. */
  readonly newest = new Map<string, number>();
  newestOfAll = 0;
  repeats = 0;
}

export class Deliveries {
  readonly #origin: number;
  readonly #emittedAt = new Column(Float32Array, Number.NaN);
  readonly #events = new Column(Uint32Array, 0);
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #gaps = new Map<string, { readonly from: number; readonly to: number; readonly told: number }>();
  /** Of what was emitted; nothing before counts. */
  #first = Number.POSITIVE_INFINITY;
  #last = 0;
  emitted = 0;

  /** Times are kept from `origin` on, to a fraction of a millisecond. */
  constructor(routes: readonly string[], origin: number) {
    this.#routes = new Map(routes.map((route) => [route, new Route()]));
    this.#origin = origin;
  }

  /** The newest resourceVersion that was emitted. */
  get newest(): number {
    return this.#last;
  }

  get gaps(): number {
    return this.#gaps.size;
  }

  emit({ resourceVersion, event, at }: Emission): void {
    this.#emittedAt.set(resourceVersion, at - this.#origin);
    this.#events.set(resourceVersion, event);
    this.#first = Math.min(this.#first, resourceVersion);
    this.#last = resourceVersion;
    this.emitted += 1;
  }

  arrive(name: string, { resourceVersion, key, at }: Arrival): void {
    const route = this.#of(name);
    if (!Number.isNaN(route.arrivedAt.get(resourceVersion))) {
      route.repeats += 1;
      return;
    }
    route.arrivedAt.set(resourceVersion, at - this.#origin);
    route.newestOfAll = Math.max(route.newestOfAll, resourceVersion);
    if ((route.newest.get(key) ?? 0) > resourceVersion) route.disorder.push(resourceVersion);
    else route.newest.set(key, resourceVersion);
  }

  /** A gap record tells that in (from, to] what was changed again could not be had. */
  announce(from: number, to: number): void {
    const id = `${from} ${to}`;
    if (!this.#gaps.has(id)) this.#gaps.set(id, { from, to, told: Math.max(to, this.#last) });
  }

  /** Of what was emitted from one resourceVersion up to another; of everything unless given. */
  tally(name: string, { from = 0, upTo = this.#last }: { from?: number; upTo?: number } = {}): Tally {
    const route = this.#of(name);
    const lost = this.#unrecoverable();
    const missing: number[] = [];
    const unknown: number[] = [];
    let [emitted, delivered, unrecoverable, waiting] = [0, 0, 0, 0];
    for (let resourceVersion = Math.max(from, this.#first); resourceVersion <= upTo; resourceVersion += 1) {
      const isEmitted = !Number.isNaN(this.#emittedAt.get(resourceVersion));
      const hasArrived = !Number.isNaN(route.arrivedAt.get(resourceVersion));
      if (isEmitted) emitted += 1;
      if (isEmitted && hasArrived) delivered += 1;
      else if (hasArrived) unknown.push(resourceVersion);
      else if (isEmitted && lost.has(resourceVersion)) unrecoverable += 1;
      else if (isEmitted && resourceVersion > route.newestOfAll) waiting += 1;
      else if (isEmitted) missing.push(resourceVersion);
    }
    const { disorder, repeats } = route;
    return { emitted, delivered, unrecoverable, missing, waiting, disorder, unknown, repeats };
  }

  /** In the order of time; what has not arrived on the route has no part in it. */
  latencies(name: string): readonly Latency[] {
    const buckets = Map.groupBy(this.#taken(name), ({ from }) => Math.floor(from / BUCKET_MS));
    return Array.from(buckets, ([bucket, taken]) => {
      const sorted = Float32Array.from(taken, ({ ms }) => ms).sort();
      const at = this.#origin + bucket * BUCKET_MS;
      return { at, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
    }).toSorted((a, b) => a.at - b.at);
  }

  /** Of the whole run, in milliseconds, or of what was emitted when `counts` says so of milliseconds since 1970. */
  latency(name: string, counts: (at: number) => boolean = () => true): Omit<Latency, 'at'> & { readonly max: number } {
    const taken = [...this.#taken(name)].filter(({ from }) => counts(this.#origin + from));
    const sorted = Float32Array.from(taken, ({ ms }) => ms).sort();
    return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: quantile(sorted, 1) };
  }

  /** When each was emitted, in milliseconds from the origin, and how long it took. */
  *#taken(name: string): Generator<{ readonly from: number; readonly ms: number }> {
    const route = this.#of(name);
    for (let resourceVersion = this.#first; resourceVersion <= this.#last; resourceVersion += 1) {
      const from = this.#emittedAt.get(resourceVersion);
      const ms = route.arrivedAt.get(resourceVersion) - from;
      if (!Number.isNaN(ms)) yield { from, ms };
    }
  }

  /**
   * Revisions in a gap whose Event was written again before it was told of: a list's later pages may come from a later
   * present. The last one of an Event must have been found.
   */
  #unrecoverable(): ReadonlySet<number> {
    const lost = new Set<number>();
    for (const { from, to, told } of this.#gaps.values()) {
      const changed = new Set<number>();
      const oldest = Math.max(from + 1, this.#first);
      for (let resourceVersion = Math.min(told, this.#last); resourceVersion >= oldest; resourceVersion -= 1) {
        if (Number.isNaN(this.#emittedAt.get(resourceVersion))) continue;
        const event = this.#events.get(resourceVersion);
        if (resourceVersion <= to && changed.has(event)) lost.add(resourceVersion);
        changed.add(event);
      }
    }
    return lost;
  }

  #of(name: string): Route {
    const route = this.#routes.get(name);
    if (route === undefined) throw new Error(`there is no route ${name}`);
    return route;
  }
}

function quantile(sorted: Float32Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

type Numbers = Float32Array | Uint32Array;

/** A number for each resourceVersion, in an array that grows in steps; `none` where none was set. */
class Column {
  readonly #make: new (
    length: number,
  ) => Numbers;
  readonly #none: number;
  #values: Numbers;

  constructor(make: new (length: number) => Numbers, none: number) {
    this.#make = make;
    this.#none = none;
    this.#values = new make(1 << 16).fill(none);
  }

  get(at: number): number {
    return this.#values[at] ?? this.#none;
  }

  set(at: number, value: number): void {
    if (at >= this.#values.length) {
      const values = new this.#make(Math.max(at + 1, this.#values.length * 2)).fill(this.#none);
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[at] = value;
  }
}
