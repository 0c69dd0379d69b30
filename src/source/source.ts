/** Reads a cluster's Events into the journal, one list-watch for each stream. */
import type { Logger } from 'pino';
import { ALL_NAMESPACES, type StreamName } from '../envelope/position.ts';
import type { Journal } from '../journal/port.ts';
import type { StreamState } from '../journal/record.ts';
import { eventsApi } from './api.ts';
import { Backlog } from './backlog.ts';
import type { Cluster } from './cluster.ts';
import { newStatus, type StreamStatus } from './status.ts';
import { runStream, type StreamParts, TIMING, type Timing } from './stream.ts';

export interface SourceOptions extends Pick<StreamParts, 'envelope'> {
  readonly cluster: Cluster;
  readonly journal: Pick<Journal, 'append' | 'streams'>;
  /** The namespaces to read, or `all` by one watch for the whole cluster. */
  readonly namespaces: readonly string[] | 'all';
  readonly fieldSelector: string | undefined;
  /** Where a stream begins that the journal does not know yet. */
  readonly startFrom: 'oldest' | 'now';
  readonly gapRecord: (
    stream: StreamName,
    gap: Parameters<StreamParts['gapRecord']>[0],
  ) => ReturnType<StreamParts['gapRecord']>;
  readonly log: Logger;
  readonly userAgent: string;
  /** Called once, with the status of each stream, which is kept up to date from then on. */
  readonly observe?: (streams: readonly StreamStatus[]) => void;
  readonly timing?: Timing;
}

/** All streams together may have read so much that the journal has not taken yet. */
const BACKLOG_BYTES = 8 * 1024 * 1024;

/**
 * Runs until the signal aborts, whatever the API server does meanwhile. Rejects when the journal fails, or by a defect.
 * Everything is released when it settles.
 */
export async function runSource(options: SourceOptions, signal: AbortSignal): Promise<void> {
  const known = new Map((await options.journal.streams()).map((state) => [state.stream, state]));
  const streams = options.namespaces === 'all' ? [ALL_NAMESPACES] : options.namespaces.map(streamName);
  const statuses = streams.map(newStatus);
  options.observe?.(statuses);
  const backlog = new Backlog(BACKLOG_BYTES);
  const failed = new AbortController();
  const until = AbortSignal.any([signal, failed.signal]);
  const running = statuses.map(async (status) => {
    try {
      await openStream(options, { status, backlog, state: known.get(status.stream) }, until);
    } catch (error) {
      failed.abort();
      throw error;
    }
  });
  await Promise.allSettled(running);
  await Promise.all(running);
}

async function openStream(
  options: SourceOptions,
  { status, backlog, state }: { status: StreamStatus; backlog: Backlog; state: StreamState | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { stream } = status;
  await using api = eventsApi({ ...options, stream });
  const parts: StreamParts = {
    ...options,
    api,
    backlog,
    gapRecord: (gap) => options.gapRecord(stream, gap),
    timing: options.timing ?? TIMING,
  };
  const fresh = { stream, epoch: 0, rv: undefined, floor: undefined, listing: undefined };
  const fromNow = state === undefined && options.startFrom === 'now';
  await runStream(parts, { stream: state ?? fresh, fromNow, status }, signal);
}

function streamName(namespace: string): StreamName {
  return namespace as StreamName;
}
