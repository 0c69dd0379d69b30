/** What can be seen of a stream from outside: for the status line, the metrics and the books of a whole daemon. */
import type { ResourceVersion, StreamName } from '../envelope/position.ts';
import type { Audit } from './audit-state.ts';
import type { Paging, Phase } from './state.ts';

/** Updated in place by the source while it runs; everybody else only reads it. */
export interface StreamStatus {
  readonly stream: StreamName;
  phase: Phase;
  paging: Paging;
  audit: Audit['phase'];
  /** The API server has accepted a watch, and nothing has gone wrong since. */
  up: boolean;
  /** Since when that is so, or is not so, in milliseconds since 1970. */
  readonly since: number;
  epoch: number;
  /** Up to where routes may read. */
  rv: ResourceVersion | undefined;
  /** Milliseconds since 1970. */
  lastLineAt: number | undefined;
  /** What is wrong now, for a person; undefined while all is well. */
  lastError: string | undefined;
  /** Undefined until the first audit since the start has ended. */
  lastAudit: LastAudit | undefined;
  readonly counters: StreamCounters;
}

interface LastAudit {
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  /** Revisions that it has looked up in the journal, and those that the journal did not have. */
  readonly looked: number;
  readonly found: number;
}

/** All of them only ever grow, from zero at each start. */
export interface StreamCounters {
  /** ADDED and MODIFIED of the watch. */
  lines: number;
  /** Events of the pages of a list, known ones too. */
  listed: number;
  /** Records that the journal did not have before, and those that it had. */
  appended: number;
  repeated: number;
  /** Items of a list that are no Event. */
  skipped: number;
  /** Lines of a watch that are none, so that it was asked again. */
  damaged: number;
  /** Lines at or below the checkpoint, which the API server has promised not to send. */
  late: number;
  gaps: number;
  /** Answers of the API server other than the one that was asked for, and connections lost. */
  failures: number;
  probes: number;
  pages: number;
  watches: number;
  /** Audits that came to their end, the pages that they listed, and what the watch had missed. */
  audits: number;
  auditPages: number;
  found: number;
}

export function newStatus(stream: StreamName): StreamStatus {
  let up = false;
  let since = Date.now();
  return {
    stream,
    phase: 'probing',
    paging: 'idle',
    audit: 'resting',
    get up() {
      return up;
    },
    set up(value) {
      if (value !== up) since = Date.now();
      up = value;
    },
    get since() {
      return since;
    },
    epoch: 0,
    rv: undefined,
    lastLineAt: undefined,
    lastError: undefined,
    lastAudit: undefined,
    counters: {
      lines: 0,
      listed: 0,
      appended: 0,
      repeated: 0,
      skipped: 0,
      damaged: 0,
      late: 0,
      gaps: 0,
      failures: 0,
      probes: 0,
      pages: 0,
      watches: 0,
      audits: 0,
      auditPages: 0,
      found: 0,
    },
  };
}
