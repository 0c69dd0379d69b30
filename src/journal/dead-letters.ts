import type { DatabaseSync } from 'node:sqlite';
import type { ParkedTable } from './parked.ts';
import type { Changes } from './protocol.ts';
import type { Routes } from './routes.ts';
import type { Settler } from './settle.ts';

/** Dead letters that one step lets go of: each touches half a dozen b-trees, and a step must not take 50 ms. */
const STEP = 250;

interface Tables {
  readonly routes: Routes;
  readonly parked: ParkedTable;
  readonly settler: Settler;
}

/** What becomes of dead letters: those that a person wants to be sent again or dropped, and those that a limit takes away. */
export class DeadLetters {
  readonly #tables: Tables;
  readonly #most: number;
  readonly #oldest;
  readonly #oldestOf;
  readonly #isDead;
  readonly #dropped;
  readonly #droppedByLimit;

  constructor(db: DatabaseSync, tables: Tables, most: number) {
    this.#tables = tables;
    this.#most = most;
    const dead = "SELECT id, route FROM parked WHERE state = 'dead'";
    this.#oldest = db.prepare(`${dead} ORDER BY id LIMIT ?`);
    this.#oldestOf = db.prepare(`${dead} AND route = ? ORDER BY id LIMIT ?`);
    this.#isDead = db.prepare(`${dead} AND id = ? AND route = ?`);
    this.#dropped = db.prepare('UPDATE routes SET dropped_by_command = dropped_by_command + ? WHERE id = ?');
    this.#droppedByLimit = db.prepare('UPDATE routes SET dropped_by_limit = dropped_by_limit + 1 WHERE id = ?');
  }

  /** Each is read once more, as it were: so the counters of the route go up, and the books balance. */
  revive({ route: name, ids, number, now }: Changes['revive']['argument']): Changes['revive']['result'] {
    const { routes, parked, settler } = this.#tables;
    const route = routes.find(name);
    if (route === undefined || route.removed) return undefined;
    const { id } = route;
    const dead = ids.filter((one) => this.#isDead.get(one, id) !== undefined);
    const replay = number ?? (dead.length > 0 ? routes.nextReplay(id) : 0);
    for (const one of dead) parked.revive(id, one, { replay, now });
    settler.count(id, { read: dead.length });
    return { ids: dead, number: replay };
  }

  drop({ route: name, ids }: Changes['drop']['argument']): Changes['drop']['result'] {
    const route = this.#tables.routes.need(name);
    const dead = ids.filter((one) => this.#isDead.get(one, route) !== undefined);
    for (const one of dead) this.#tables.parked.remove(route, one, 'dropped');
    this.#dropped.run(dead.length, route);
    return dead;
  }

  /**
   * One step towards the limit: the oldest of the route that has the most go, so that a route which fills the table
   * takes nothing away from others. Returns how many went.
   */
  dropBeyondLimit(): number {
    const { dead } = this.#tables.parked;
    const most = Math.min(STEP, dead.total - this.#most);
    if (most <= 0 || dead.fullest === undefined) return 0;
    return this.#letGo(this.#oldestOf.all(dead.fullest, most));
  }

  /** The journal is full: one step of letting go of the oldest. */
  dropOldest(): number {
    return this.#letGo(this.#oldest.all(STEP));
  }

  #letGo(rows: readonly Record<string, unknown>[]): number {
    for (const { id, route } of rows) {
      this.#tables.parked.remove(Number(route), Number(id), 'dropped');
      this.#droppedByLimit.run(Number(route));
    }
    return rows.length;
  }
}
