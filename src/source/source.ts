/** Reads a cluster's Events into the journal, one list-watch for each stream. */

import type { Logger } from 'pino';
import type { StreamName } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import type { Journal } from '../journal/port.ts';
import type { StreamState } from '../journal/record.ts';
import { eventsApi } from './api.ts';
import { Backlog } from './backlog.ts';
import type { Cluster } from './cluster.ts';
import { LIMITS, type Limits } from './limits.ts';
import { newStatus, type StreamStatus } from './status.ts';
import { runStream, type StreamParts } from './stream.ts';

export type { StreamStatus } from './status.ts';

export interface SourceOptions extends Pick<StreamParts, 'envelope' | 'gap'> {
  readonly cluster: Cluster;
  readonly journal: Pick<Journal, 'append' | 'streams' | 'lookUp'>;
  /** The namespaces to read, or `_all` alone: one watch for the whole cluster. */
  readonly streams: readonly StreamName[];
  readonly fieldSelector: string | undefined;
  /** Where a stream begins that the journal does not know yet. */
  readonly startFrom: 'oldest' | 'now';
  readonly log: Logger;
  readonly userAgent: string;
  readonly limits?: Limits;
}

/** All streams together may have read so much that the journal has not taken yet. */
const BACKLOG_BYTES = 1024 * 1024;

export class Source {
  readonly #options: SourceOptions;
  readonly #backlog = new Backlog(BACKLOG_BYTES);
  /** One for each stream, kept up to date while the source runs. */
  readonly status: readonly StreamStatus[];

  constructor(options: SourceOptions) {
    this.#options = options;
    this.status = options.streams.map(newStatus);
  }

  /**
   * Runs until the signal aborts, whatever the API server does meanwhile. Rejects when the journal fails, or by a
   * defect. Everything is released when it settles. To be called once.
   */
  async run(signal: AbortSignal): Promise<void> {
    failpoint('source.started');
    const known = new Map((await this.#options.journal.streams()).map((state) => [state.stream, state]));
    const failed = new AbortController();
    const until = AbortSignal.any([signal, failed.signal]);
    const running = this.status.map(async (status) => {
      try {
        await this.#stream(status, known.get(status.stream), until);
      } catch (error) {
        failed.abort();
        throw error;
      }
    });
    await Promise.allSettled(running);
    await Promise.all(running);
  }

  async #stream(status: StreamStatus, state: StreamState | undefined, signal: AbortSignal): Promise<void> {
    const options = this.#options;
    const { stream } = status;
    await using api = eventsApi({ ...options, stream });
    const parts: StreamParts = { ...options, api, backlog: this.#backlog, limits: options.limits ?? LIMITS };
    const fresh = { stream, epoch: 0, rv: undefined, floor: undefined, listing: undefined };
    const fromNow = state === undefined && options.startFrom === 'now';
    await runStream(parts, { stream: state ?? fresh, fromNow, status }, signal);
  }
}
