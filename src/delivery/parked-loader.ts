import type { Clock } from '../clock.ts';
import { failpoint } from '../failpoint.ts';
import type { Journal } from '../journal/port.ts';
import type { Route } from '../routing/route.ts';
import type { Bell } from './bell.ts';
import type { Ledger } from './ledger.ts';
import type { Lane } from './parked-lanes.ts';
import type { WindowLimit } from './window.ts';

interface ParkedLoaderOptions {
  readonly route: Route;
  readonly journal: Pick<Journal, 'parked' | 'revived'>;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly window: WindowLimit;
  readonly bell: Bell;
}

/**
 * Brings parked messages back into the queues, and closes the lanes that hold none any more. All lanes together hold no
 * more in memory than a window, and the revived dead letters besides half of one. So that a few long ones do not keep the
 * others from their turn, it begins behind the one that was loaded last.
 */
export class ParkedLoader {
  readonly #options: ParkedLoaderOptions;
  #last: Lane | undefined;

  constructor(options: ParkedLoaderOptions) {
    this.#options = options;
  }

  /** False when there was nothing. */
  async load(): Promise<boolean> {
    const { route, journal, clock, window, ledger } = this.#options;
    let loaded = false;
    const inHand = [...ledger.lanes].flatMap((lane) => [...lane.loaded]);
    let records = inHand.length;
    let bytes = inHand.reduce((sum, entry) => sum + entry.bytes, 0);
    const lanes = [...ledger.lanes];
    const next = this.#last === undefined ? 0 : lanes.indexOf(this.#last) + 1;
    for (const lane of [...lanes.slice(next), ...lanes.slice(0, next)]) {
      if (records >= window.records || bytes >= window.bytes) break;
      const wanted = lane.wants(clock.steady());
      if (wanted === 0) continue;
      const { round } = lane;
      const rows = await journal.parked(route.name, lane.rows, wanted);
      if (rows.length === 0 && lane.probedKey !== undefined) {
        // Behind the last key there is none: it begins again with the first one.
        lane.probedKey = undefined;
        loaded = true;
        continue;
      }
      failpoint('route.lane-loaded');
      ledger.load(lane, rows, round);
      if (rows.length > 0) {
        this.#last = lane;
        loaded = true;
      }
      records += rows.length;
      for (const { record } of rows) bytes += record.data.byteLength;
    }
    return (await this.#loadRevived()) || loaded;
  }

  async #loadRevived(): Promise<boolean> {
    const { route, journal, ledger, bell } = this.#options;
    const { revived } = ledger;
    const wanted = revived.wanted();
    if (wanted === 0) return false;
    const { round } = revived;
    const rows = await journal.revived(route.name, revived.after, wanted);
    ledger.loadRevived(rows, round);
    bell.ring();
    return rows.length > 0;
  }
}
