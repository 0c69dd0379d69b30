/** The record that says which part of a stream's history could not be had, as loudly as an Event of type Warning. */

import { recordOf } from './event.ts';
import type { EventData } from './event-data.ts';
import type { NewRecord } from './new-record.ts';
import {
  ALL_NAMESPACES,
  compareResourceVersions,
  gapPositionOf,
  parseResourceVersion,
  type ResourceVersion,
  type StreamName,
} from './position.ts';
import { objectKey } from './text.ts';
import { microTime, type Time } from './time.ts';

/**
 * first-start: before kube-fanout knew this stream; compacted: the API server no longer has that part of its history;
 * restored: the cluster went back to a backup; expired-token: a list took longer than its snapshot was kept;
 * quota: the journal was full, and the route had chosen to let go of its oldest records.
 */
export type GapCause = 'first-start' | 'compacted' | 'restored' | 'expired-token' | 'quota';

export interface Gap {
  readonly cluster: string;
  readonly stream: StreamName;
  /**
   * What happened behind `from`, up to and with `to`, is incomplete; without `from`, from the beginning. Of a restored
   * cluster: where the old history stood, and where the new one stood when it was noticed.
   */
  readonly from: ResourceVersion | undefined;
  readonly to: ResourceVersion | undefined;
  readonly cause: GapCause;
  /** Of a quota: the route has had all of it, and a replay was about to send it once more. */
  readonly again?: boolean;
  /** How many revisions in the gap were found all the same. */
  readonly recovered: number;
  readonly now: Date;
}

/** It takes the position right behind `to`; that of a restored history is the first of its epoch. */
export function gapRecord({ cluster, stream, from, to, cause, again = false, recovered, now }: Gap): NewRecord {
  // What a quota lets go of it may let go of once more, after a replay.
  const when = cause === 'quota' ? `.${now.getTime()}` : '';
  const id = `gap.${stream}.${from ?? 'start'}.${to ?? 'end'}${when}`;
  const position = gapPositionOf(cause === 'restored' ? undefined : to);
  const time = now.toISOString() as Time;
  const regarding = { apiVersion: 'kube-fanout/v1', kind: 'Stream', namespace: stream, name: stream };
  const data: EventData & { readonly gap: object } = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: id, namespace: stream, creationTimestamp: time },
    eventTime: microTime(time),
    reportingController: 'kube-fanout',
    action: 'Watch',
    reason: 'EventsGap',
    regarding,
    note: `${WHAT_HAPPENED[again ? 'replay' : cause](stream === ALL_NAMESPACES ? 'the cluster' : `namespace ${stream}`, from, to)} ${foundOf(recovered)}`,
    type: 'Warning',
    count: 1,
    firstTime: time,
    lastTime: time,
    gap: { stream, from, to, cause, recovered },
  };
  return recordOf({ kind: 'gap', id, position, key: objectKey(regarding), data }, { cluster, origin: 'live', now });
}

const WHAT_HAPPENED: Record<GapCause | 'replay', (where: string, from?: string, to?: string) => string> = {
  'first-start': (where, _, to = 'now') =>
    `kube-fanout has observed the Events of ${where} since resourceVersion ${to}; of those before, it could have only what the API server still held.`,
  compacted: (where, from = 'the beginning', to = 'now') =>
    `Nobody watched the Events of ${where} from resourceVersion ${from} to ${to}, and the API server no longer has that history: Events overwritten or deleted in between are lost.`,
  restored: (where, from, to) => {
    const [stood, stands] = [parseResourceVersion(from), parseResourceVersion(to)];
    const overtaken = stood !== undefined && stands !== undefined && compareResourceVersions(stands, stood) >= 0;
    const how = overtaken
      ? `The cluster was restored from a backup and had overtaken resourceVersion ${from} when that was noticed, at ${to}`
      : `The API server went back from resourceVersion ${from ?? 'an unknown one'} to ${to ?? 'an older one'}`;
    return `${how}: the Events of ${where} start again from a restored history, and what the old one held beyond it is lost.`;
  },
  'expired-token': (where, from = 'the beginning', to = 'now') =>
    `The list of the Events of ${where} took longer than the API server kept its snapshot: Events overwritten or deleted from resourceVersion ${from} to ${to} are lost.`,
  quota: (where, from = 'the oldest', to = 'the newest') =>
    `The journal was full: Events of ${where} from resourceVersion ${from} to ${to} expired before this route had delivered them.`,
  replay: (where, from = 'the oldest', to = 'the newest') =>
    `The journal was full during a replay: Events of ${where} from resourceVersion ${from} to ${to} are not sent again by this route.`,
};

function foundOf(recovered: number): string {
  return recovered === 1 ? 'One revision was recovered.' : `${recovered} revisions were recovered.`;
}
