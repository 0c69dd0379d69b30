import type { Fault } from '../fault.ts';
import { DAEMON } from './daemon.ts';
import { FAILPOINT_KILLS } from './failpoints.ts';
import { POWER } from './power.ts';

export const FAULTS: readonly Fault[] = [...FAILPOINT_KILLS, ...DAEMON, ...POWER];
