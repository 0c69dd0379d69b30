import type { DatabaseSync } from 'node:sqlite';
import type { ParkedTable } from './parked.ts';
import type { PassedOver } from './passed-over.ts';
import type { ReplayEnds } from './replay-ends.ts';
import type { Settler } from './settle.ts';

/** A removed route's row, cursors and parked messages are kept so long, in case it comes back. */
const KEPT_MS = 24 * 3_600_000;
/** Parked messages that one step lets go of. */
const STEP = 250;

interface Tables {
  readonly parked: ParkedTable;
  readonly settler: Settler;
  readonly passedOver: PassedOver;
  readonly replayEnds: ReplayEnds;
}

/** What is left of routes that are no longer in the config. It holds no record back when the journal is full. */
export class RemovedRoutes {
  readonly #parked: ParkedTable;
  readonly #settler: Settler;
  readonly #passedOver: PassedOver;
  readonly #replayEnds: ReplayEnds;
  readonly #expired;
  readonly #withParked;
  readonly #messages;
  readonly #deleteCursors;
  readonly #delete;

  constructor(db: DatabaseSync, tables: Tables) {
    this.#parked = tables.parked;
    this.#settler = tables.settler;
    this.#passedOver = tables.passedOver;
    this.#replayEnds = tables.replayEnds;
    this.#expired = db.prepare('SELECT id FROM routes WHERE closed_at <= ? LIMIT 1');
    this.#withParked = db.prepare(
      `SELECT id FROM routes WHERE closed_at IS NOT NULL AND EXISTS (SELECT 1 FROM parked WHERE route = routes.id)
       ORDER BY closed_at LIMIT 1`,
    );
    this.#messages = db.prepare(`SELECT id FROM parked WHERE route = ? LIMIT ${STEP}`);
    this.#deleteCursors = db.prepare('DELETE FROM cursors WHERE route = ?');
    this.#delete = db.prepare('DELETE FROM routes WHERE id = ?');
  }

  /** One step of forgetting what was removed long ago; 0 when there is nothing to forget. */
  forget(now: number): number {
    const row = this.#expired.get(now - KEPT_MS);
    if (!row) return 0;
    const route = Number(row.id);
    const released = this.#releaseOf(route);
    if (released > 0) return released;
    this.#deleteCursors.run(route);
    this.#passedOver.removeRoute(route);
    this.#replayEnds.removeRoute(route);
    this.#delete.run(route);
    return 1;
  }

  /** One step of letting go of parked messages, and so of their records; 0 when there are none. */
  release(): number {
    const row = this.#withParked.get();
    return row ? this.#releaseOf(Number(row.id)) : 0;
  }

  #releaseOf(route: number): number {
    const states = this.#messages.all(route).map(({ id }) => this.#parked.remove(route, Number(id), 'quota'));
    this.#settler.count(route, { expired: states.filter((state) => state !== 'dead').length });
    return states.length;
  }
}
