import type { RouteStatus } from '../../src/delivery/route-worker.ts';

/** Of a route that is connected and has nothing to do. */
export const IDLE: RouteStatus = {
  connection: { kind: 'up', since: 0 },
  stopped: undefined,
  parked: [],
  backingOff: [],
  unsettled: 0,
  underWay: 0,
};
