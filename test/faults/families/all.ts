import type { Fault } from '../fault.ts';
import { DAEMON } from './daemon.ts';

export const FAULTS: readonly Fault[] = [...DAEMON];
