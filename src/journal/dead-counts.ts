import type { DatabaseSync } from 'node:sqlite';

/** How many dead letters each route has, kept beside the table: each commit looks whether there are too many. */
export class DeadCounts {
  readonly #count;
  readonly #byRoute = new Map<number, number>();
  #total = 0;

  constructor(db: DatabaseSync) {
    this.#count = db.prepare("SELECT route, count(*) AS count FROM parked WHERE state = 'dead' GROUP BY route");
    this.recount();
  }

  get total(): number {
    return this.#total;
  }

  of(route: number): number {
    return this.#byRoute.get(route) ?? 0;
  }

  /** The route that has the most; undefined when there are none. */
  get fullest(): number | undefined {
    const [most] = [...this.#byRoute].sort(([, a], [, b]) => b - a);
    return most?.[0];
  }

  add(route: number, change: 1 | -1): void {
    const count = this.of(route) + change;
    if (count === 0) this.#byRoute.delete(route);
    else this.#byRoute.set(route, count);
    this.#total += change;
  }

  /** From the table, after a rollback. */
  recount(): void {
    this.#byRoute.clear();
    this.#total = 0;
    for (const { route, count } of this.#count.all()) {
      this.#byRoute.set(Number(route), Number(count));
      this.#total += Number(count);
    }
  }
}
