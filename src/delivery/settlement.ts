import type { DeliveredReceipt, Parked, RouteName, Settlement } from '../journal/record.ts';
import type { Entry } from './entry.ts';
import type { Taken } from './window.ts';

const NOTHING: Taken = { cursors: new Map(), entries: [], read: 0, filtered: 0, expired: 0 };

/**
 * One commit of a route. A message from the window is counted as read here; a parked one was counted when the cursor
 * passed it, and now only moves from pending to delivered or dead. So read = delivered + filtered + limited + dead +
 * expired + pending holds after every commit.
 */
export function settlementOf(route: RouteName, taken: Taken = NOTHING, parkedBefore: readonly Entry[]): Settlement {
  const receipts: DeliveredReceipt[] = [];
  const parked: Parked[] = [];
  let dead = 0;
  let filtered = taken.filtered;
  for (const { stream, cursor, destination, key, replay, effect } of [...taken.entries, ...parkedBefore]) {
    if (effect === undefined || effect === 'dropped') continue;
    if (effect.kind === 'delivered') {
      receipts.push({ stream, cursor, receipt: effect.receipt, deliveredAt: effect.at });
    } else if (effect.kind === 'filtered') {
      filtered += 1;
    } else {
      parked.push({ stream, cursor, destination, key, ...effect.verdict, parkedAt: effect.at, replay });
      if (effect.verdict.state === 'dead') dead += 1;
    }
  }
  return {
    route,
    cursors: taken.cursors,
    counters: { read: taken.read, filtered, expired: taken.expired, delivered: receipts.length, dead },
    receipts,
    parked,
    unparked: parkedBefore.flatMap((entry) => entry.parked?.id ?? []),
  };
}
