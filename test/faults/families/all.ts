import type { Fault } from '../fault.ts';
import { API_SERVER } from './api-server.ts';
import { API_SERVER_ANSWERS } from './api-server-answers.ts';
import { API_SERVER_BLOCKED } from './api-server-blocked.ts';
import { API_SERVER_LIST } from './api-server-list.ts';
import { API_SERVER_RESTORED } from './api-server-restored.ts';
import { API_SERVER_WATCH } from './api-server-watch.ts';
import { BACKLOG } from './backlog.ts';
import { BROKER_FAULTS } from './brokers.ts';
import { CLOCK } from './clock.ts';
import { DAEMON } from './daemon.ts';
import { DAMAGE } from './damage.ts';
import { DESTINATIONS } from './destinations.ts';
import { DISK } from './disk.ts';
import { FAILPOINT_KILLS } from './failpoints.ts';
import { MESSAGES } from './messages.ts';
import { POWER } from './power.ts';
import { VOLUME_LESS } from './volume-less.ts';

/** Those that take minutes come first: beside each other, none of them is then waited for in the end. */
export const FAULTS: readonly Fault[] = [
  ...FAILPOINT_KILLS,
  ...BACKLOG,
  ...DAEMON,
  ...POWER,
  ...DISK,
  ...CLOCK,
  ...VOLUME_LESS,
  ...API_SERVER,
  ...API_SERVER_ANSWERS,
  ...API_SERVER_WATCH,
  ...API_SERVER_RESTORED,
  ...API_SERVER_LIST,
  ...API_SERVER_BLOCKED,
  ...DESTINATIONS,
  ...BROKER_FAULTS,
  ...MESSAGES,
  ...DAMAGE,
];
