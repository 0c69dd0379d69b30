import type { Clock } from '../clock.ts';
import type { ConnectionState } from './connection.ts';
import type { Hold } from './entry.ts';
import type { Lane } from './parked-lanes.ts';

/** What a route is doing now, as only the worker that runs it knows. */
export interface RouteStatus {
  readonly connection: ConnectionState;
  /** Why nothing of the route gets through, while that is so. */
  readonly stopped: Hold | undefined;
  readonly parked: readonly LaneStatus[];
  /** Keys whose messages failed just now, and are about to be tried again. */
  readonly backingOff: readonly string[];
  readonly unsettled: number;
  readonly underWay: number;
}

interface LaneStatus {
  readonly destination: string;
  readonly key: string | undefined;
  readonly verdict: Hold;
  /** When it is tried next, in milliseconds since 1970; undefined while its messages go out. */
  readonly nextTryAt: number | undefined;
}

export function laneStatus({ destination, key, verdict, flowing, probeAt }: Lane, clock: Clock): LaneStatus {
  const nextTryAt = flowing ? undefined : clock.wall() + Math.max(0, Math.round(probeAt - clock.steady()));
  return { destination, key, verdict, nextTryAt };
}
