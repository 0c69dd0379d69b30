/** Reads one watch after the other, and says how each has ended. */

import type { Logger } from 'pino';
import type { ResourceVersion } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import type { EventsApi } from './api.ts';
import { ApiError, DamagedLineError } from './api-error.ts';
import type { Backlog } from './backlog.ts';
import { endingOf } from './ending.ts';
import type { Limits } from './limits.ts';
import type { Input } from './state.ts';
import type { StreamStatus } from './status.ts';
import { WatchLength } from './watch-length.ts';
import { type Envelope, readWatchLines } from './watch-lines.ts';

export interface WatchReaderParts {
  readonly api: EventsApi;
  readonly backlog: Backlog;
  readonly envelope: Envelope;
  readonly limits: Limits;
  readonly status: StreamStatus;
  readonly log: Logger;
  /** Told when the API server has accepted a watch. */
  readonly opened: () => void;
  /** Told, in words, of what went wrong and is an input all the same. */
  readonly trouble: (text: string) => void;
}

/** A watch that has lasted so long was a good one, whatever has ended it. */
const HEALTHY_MS = 10_000;

export class WatchReader {
  readonly #parts: WatchReaderParts;
  readonly #length: WatchLength;

  constructor(parts: WatchReaderParts) {
    this.#parts = parts;
    this.#length = new WatchLength(parts.limits.watchSeconds);
  }

  /** Tells the lines as they come. Rejects as the API does, and with an ERROR line that is not an end like any other. */
  async read(from: ResourceVersion, signal: AbortSignal, tell: (input: Input) => void): Promise<Input> {
    const { api, backlog, limits, status } = this.#parts;
    status.counters.watches += 1;
    const seconds = this.#length.next();
    const watch = await api.watch({ from, seconds, graceMs: limits.graceMs }, signal);
    this.#parts.opened();
    failpoint('source.watch-opened');
    let quietSince = watch.openedAt;
    try {
      for await (const { lines } of watch) {
        if (signal.aborted) break;
        const end = this.#tellLines(lines, tell);
        if (end !== undefined) return this.#brokenOff(end);
        if (backlog.full && !(await this.#roomInTime(signal))) return { kind: 'blocked' };
        quietSince = performance.now();
      }
    } catch (error) {
      if (signal.aborted || performance.now() - watch.openedAt < HEALTHY_MS || error instanceof ApiError) throw error;
      return this.#cut(error, performance.now() - quietSince);
    }
    failpoint('source.watch-ended');
    const how = endingOf({ ...watch, quietSince }, seconds * 1000, limits.atOnceMs);
    if (how === 'timeout') this.#length.lasted();
    return { kind: 'ended', how };
  }

  #tellLines(lines: readonly Uint8Array[], tell: (input: Input) => void) {
    const { status, envelope } = this.#parts;
    const { records, rv, end } = readWatchLines(lines, envelope);
    failpoint('source.lines-read');
    status.lastLineAt = Date.now();
    status.counters.lines += records.length;
    if (rv !== undefined) tell({ kind: 'lines', records, rv });
    return end;
  }

  /**
   * An API server that cannot read the revision behind the checkpoint any more answers a watch with 200 and a line of
   * code 500, for ever, and what damages a line may damage it each time. So both count as an end at once: after three of
   * them with something unseen, a list is believed more. Whatever else a line says is for the caller.
   */
  #brokenOff(end: ApiError | DamagedLineError): Input {
    if (end instanceof ApiError && (end.expired || end.status.code !== 500)) throw end;
    if (end instanceof DamagedLineError) this.#parts.status.counters.damaged += 1;
    const { status, trouble } = this.#parts;
    status.counters.failures += 1;
    status.up = false;
    trouble(end.message);
    return { kind: 'ended', how: 'at-once' };
  }

  /** What idled for long and was cut is no failure of the API server: the next one is opened at once, and shorter. */
  #cut(error: unknown, idleMs: number): Input {
    const { status, log } = this.#parts;
    this.#length.cut(idleMs);
    status.counters.failures += 1;
    log.info(
      { stream: status.stream, idleMs: Math.round(idleMs) },
      error instanceof Error ? error.message : `${error}`,
    );
    return { kind: 'ended', how: 'early' };
  }

  /** A watch that nobody reads makes the API server buffer without bound: better to close it and to come back. */
  async #roomInTime(signal: AbortSignal): Promise<boolean> {
    const { backlog, limits } = this.#parts;
    await backlog.room(signal, limits.unreadMs);
    return !backlog.full;
  }
}
