/** What was recorded of one fault: all that the promises are judged by, and nothing that the daemon only claims. */
import type { TruthRevision } from '../backends/truth.ts';
import type { Gap } from '../main-job/gaps.ts';
import type { Seen } from '../main-job/seen.ts';
import type { BrokerName } from './brokers.ts';
import type { Scrape } from './scrape.ts';
import type { StoppedJournal } from './stopped-journal.ts';

export interface RouteHistory {
  readonly route: string;
  readonly broker: BrokerName;
  /** In the order in which the subscriber got them, repeats and gap records too. */
  readonly seen: readonly Seen[];
  readonly gaps: readonly Gap[];
  /** Whether the route wants a revision; a fault may give it a `when`. */
  readonly takes: (revision: TruthRevision) => boolean;
  /** The reason for which a revision must end as a dead letter there; undefined where it must not. */
  readonly dies: (revision: TruthRevision) => string | undefined;
}

export interface History {
  /** Every revision of every Event since the daemon watched, as etcd stored it. */
  readonly truth: readonly TruthRevision[];
  readonly routes: readonly RouteHistory[];
  readonly journal: StoppedJournal;
  readonly scrapes: readonly Scrape[];
  /** How often the daemon ended without having been asked to. */
  readonly kills: number;
  /** resourceVersions of pages that a list got from the present, for its snapshot had been compacted. */
  readonly presents: readonly bigint[];
  /** What a journal that was taken away has forgotten, and its successor cannot know: no gap record tells of it. */
  readonly forgotten: readonly Gap[];
  /** Those that the fault makes forget what they have acknowledged; from any other a receipt without a message is ours. */
  readonly brokersMayLose: readonly BrokerName[];
  readonly memoryMiB: number;
  /** Revisions that had to be written for the fault to mean anything. */
  readonly atLeast: number;
  /** From the end of the fault until everything had arrived, in milliseconds; undefined when it never had. */
  readonly recoveryMs: number | undefined;
}
