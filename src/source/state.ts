/** What the step function speaks of: the state of one stream, what can happen to it, and what is to be done. */
import type { ResourceVersion } from '../envelope/position.ts';
import type { NewRecord, StreamState } from '../journal/record.ts';
import type { Audit, AuditEffect, AuditInput } from './audit-state.ts';
import type { Page } from './page.ts';

export type Phase = 'probing' | 'relisting' | 'watching' | 'waiting' | 'refused';
export type Paging = 'idle' | 'fetching' | 'waiting';

export interface SourceState {
  /** What the journal has, or will have as soon as the appends under way are done. */
  readonly stream: StreamState;
  readonly phase: Phase;
  readonly paging: Paging;
  readonly audit: Audit;
  /** A stream that the journal has never seen, and whose past nobody wants. */
  readonly fromNow: boolean;
  /** The history behind the checkpoint is gone: only a list helps. */
  readonly expired: boolean;
  /** Where the API server stood when it was seen that it had been restored; undefined after a start. */
  readonly restoredAt: ResourceVersion | undefined;
  /** The resourceVersion that was listed before the watch was opened. */
  readonly listed: ResourceVersion | undefined;
  /** Watches in a row that ended within seconds, cleanly and without a line. */
  readonly quickCloses: number;
  /** Failures in a row, of the watch's side and of the paging. */
  readonly failures: number;
  readonly pageFailures: number;
  /** Lines that came at or below the checkpoint, against the API server's promise. */
  readonly late: number;
}

export type Input =
  /** The answer to a probe: the resourceVersion at which the API server stands. */
  | { readonly kind: 'probed'; readonly rv: ResourceVersion }
  | { readonly kind: 'first-page'; readonly page: Page }
  /** Lines of the watch in their order; `rv` is the newest resourceVersion among them, of a record or not. */
  | { readonly kind: 'lines'; readonly records: readonly NewRecord[]; readonly rv: ResourceVersion }
  /** The watch has ended cleanly: by its own timeout, before it, or so early that it may never have begun. */
  | { readonly kind: 'ended'; readonly how: 'timeout' | 'early' | 'at-once' }
  /** Probe, first page or watch: 410, whatever its form. */
  | { readonly kind: 'expired' }
  /** Probe, first page or watch: any other failure; `afterMs` when the API server said how long to wait. */
  | { readonly kind: 'failed'; readonly afterMs?: number | undefined }
  /** The journal has taken nothing for so long that the watch must not be left unread any longer. */
  | { readonly kind: 'blocked' }
  /** The wait is over. */
  | { readonly kind: 'due' }
  /** A resourceVersion that cannot be ordered. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'page'; readonly page: Page }
  | { readonly kind: 'page-expired'; readonly token: string | undefined }
  | { readonly kind: 'page-failed'; readonly afterMs?: number | undefined }
  | { readonly kind: 'page-due' }
  | AuditInput;

export interface GapFound {
  readonly cause: 'compacted' | 'expired-token' | 'restored';
  readonly from: ResourceVersion | undefined;
  readonly to: ResourceVersion;
  readonly recovered: number;
}

export type Effect =
  /** One transaction of the journal; the effects of one stream are appended in their order. */
  | {
      readonly kind: 'append';
      readonly records: readonly NewRecord[];
      readonly gap: GapFound | undefined;
      readonly state: StreamState;
    }
  /** List one Event's metadata, for the resourceVersion at which the API server stands. */
  | { readonly kind: 'probe' }
  /** List the first page of full objects. */
  | { readonly kind: 'list' }
  | { readonly kind: 'watch'; readonly from: ResourceVersion }
  /** `ms` before jitter. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** Wait until the journal takes appends again. */
  | { readonly kind: 'wait-for-room' }
  | { readonly kind: 'page'; readonly token: string }
  | { readonly kind: 'page-wait'; readonly ms: number }
  | { readonly kind: 'stop-paging' }
  | { readonly kind: 'stop' }
  | AuditEffect;

export interface Step {
  readonly state: SourceState;
  readonly effects: readonly Effect[];
}

/** Where a watch resumes. Beside a list it runs ahead of the stream's rv, which is what routes may read. */
export function checkpointOf({ rv, listing }: StreamState): ResourceVersion | undefined {
  return listing?.rv ?? rv;
}
