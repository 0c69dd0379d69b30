import type { DatabaseSync } from 'node:sqlite';
import type { ParkedTable } from './parked.ts';

/** Dead letters that one step lets go of: each touches half a dozen b-trees, and a step must not take 50 ms. */
const STEP = 250;

/** What becomes of dead letters: those that a limit takes away. */
export class DeadLetters {
  readonly #parked: ParkedTable;
  readonly #most: number;
  readonly #oldest;
  readonly #oldestOf;
  readonly #droppedByLimit;

  constructor(db: DatabaseSync, { parked, most }: { readonly parked: ParkedTable; readonly most: number }) {
    this.#parked = parked;
    this.#most = most;
    const dead = "SELECT id, route FROM parked WHERE state = 'dead'";
    this.#oldest = db.prepare(`${dead} ORDER BY id LIMIT ?`);
    this.#oldestOf = db.prepare(`${dead} AND route = ? ORDER BY id LIMIT ?`);
    this.#droppedByLimit = db.prepare('UPDATE routes SET dropped_by_limit = dropped_by_limit + 1 WHERE id = ?');
  }

  /**
   * One step towards the limit: the oldest of the route that has the most go, so that a route which fills the table
   * takes nothing away from others. Returns how many went.
   */
  dropBeyondLimit(): number {
    const { dead } = this.#parked;
    const most = Math.min(STEP, dead.total - this.#most);
    if (most <= 0 || dead.fullest === undefined) return 0;
    return this.#drop(this.#oldestOf.all(dead.fullest, most));
  }

  /** The journal is full: one step of letting go of the oldest. */
  dropOldest(): number {
    return this.#drop(this.#oldest.all(STEP));
  }

  #drop(rows: readonly Record<string, unknown>[]): number {
    for (const { id, route } of rows) {
      this.#parked.remove(Number(route), Number(id), 'dropped');
      this.#droppedByLimit.run(Number(route));
    }
    return rows.length;
  }
}
