/**
 * The list-watch of one stream as a pure function: `step(state, input)` gives the next state and what is to be done.
 * No socket, clock, or promise in here; SPEC.md holds the tables and says why each rule is as it is.
 *
 * Three things run beside each other, each with one request under way at most: the watch (with the probe and the first
 * page of a list, which come before it), the paging of a list, and the audit (audit.ts). A new effect of one side replaces
 * that side's old one.
 */
import { compareResourceVersions, positionOf, type ResourceVersion } from '../envelope/position.ts';
import type { Listing, NewRecord, StreamState } from '../journal/record.ts';
import { auditStep, withAudit } from './audit.ts';
import { type AuditInput, isOfAudit } from './audit-state.ts';
import { backOffMs } from './back-off.ts';
import { inOrder, unread } from './fresh-records.ts';
import type { Page } from './page.ts';
import { relist, restored } from './relist.ts';
import { checkpointOf, type Effect, type Input, type SourceState, type Step } from './state.ts';
import { also, append, unchanged } from './steps.ts';

/**
 * Where a stream begins: always with a probe, because nobody knows what has become of the API server meanwhile, and soon
 * with an audit, unless there is nothing yet that could be audited.
 */
export function begin(stream: StreamState, options: { readonly fromNow: boolean }): Step {
  const known = stream.rv !== undefined;
  const state: SourceState = {
    stream,
    phase: 'probing',
    paging: 'idle',
    audit: { phase: known ? 'due' : 'resting' },
    fromNow: options.fromNow,
    expired: false,
    restoredAt: undefined,
    listed: undefined,
    quickCloses: 0,
    failures: 0,
    pageFailures: 0,
    late: 0,
  };
  return { state, effects: known ? [PROBE] : [PROBE, { kind: 'audit-rest' }] };
}

type ListWatchInput = Exclude<Input, AuditInput>;

/** In which phases an input can come; in any other it is the late answer to a question that was withdrawn. */
const EXPECTED: Readonly<Record<ListWatchInput['kind'], (state: SourceState) => boolean>> = {
  probed: ({ phase }) => phase === 'probing',
  'first-page': ({ phase }) => phase === 'relisting',
  lines: ({ phase }) => phase === 'watching',
  ended: ({ phase }) => phase === 'watching',
  blocked: ({ phase }) => phase === 'watching',
  expired: asking,
  failed: asking,
  due: ({ phase }) => phase === 'waiting',
  refused: ({ phase }) => phase !== 'refused',
  page: ({ paging }) => paging === 'fetching',
  'page-expired': ({ paging }) => paging === 'fetching',
  'page-failed': ({ paging }) => paging === 'fetching',
  'page-due': ({ paging }) => paging === 'waiting',
};

function asking({ phase }: SourceState): boolean {
  return phase === 'probing' || phase === 'relisting' || phase === 'watching';
}

export function step(state: SourceState, input: Input): Step {
  return withAudit(isOfAudit(input) ? auditStep(state, input) : listWatchStep(state, input));
}

function listWatchStep(state: SourceState, input: ListWatchInput): Step {
  if (!EXPECTED[input.kind](state)) return unchanged(state);
  switch (input.kind) {
    case 'probed':
      return probed(state, input.rv);
    case 'first-page':
      return firstPage(state, input.page);
    case 'lines':
      return lines(state, input.records, input.rv);
    case 'ended':
      return ended(state, input.how);
    case 'expired':
      return again({ ...state, expired: true });
    case 'failed':
      return backOff(state, input.afterMs);
    case 'blocked':
      return { state: { ...state, phase: 'waiting' }, effects: [{ kind: 'wait-for-room' }] };
    case 'due':
      return probe(state);
    case 'refused':
      return { state: { ...state, phase: 'refused', paging: 'idle' }, effects: [{ kind: 'stop' }, STOP_PAGING] };
    case 'page':
      return nextPage(state, input.page);
    case 'page-expired':
      return pageExpired(state, input.token);
    case 'page-failed':
      return pageBackOff(state, input.afterMs);
    case 'page-due':
      return fetchPage(state);
  }
}

function probe(state: SourceState): Step {
  return { state: { ...state, phase: 'probing' }, effects: [PROBE] };
}

function probed(state: SourceState, listed: ResourceVersion): Step {
  const checkpoint = checkpointOf(state.stream);
  if (checkpoint === undefined) return state.fromNow ? beginNow(state, listed) : relist(state);
  if (compareResourceVersions(listed, checkpoint) < 0) return restored(state, listed);
  const unseen = compareResourceVersions(listed, checkpoint) > 0;
  if (state.expired || (unseen && state.quickCloses >= 3)) return relist({ ...state, expired: true });
  const paging = state.stream.listing !== undefined && state.paging === 'idle' ? fetchPage(state) : unchanged(state);
  return also(paging, watch(paging.state, checkpoint, listed));
}

function watch(state: SourceState, from: ResourceVersion, listed: ResourceVersion): Step {
  return { state: { ...state, phase: 'watching', listed }, effects: [{ kind: 'watch', from }] };
}

function beginNow(state: SourceState, listed: ResourceVersion): Step {
  const stream = { ...state.stream, rv: listed, floor: listed };
  return also(
    append({ ...state, fromNow: false }, stream),
    watch({ ...state, fromNow: false, stream }, listed, listed),
  );
}

/**
 * A list begins. Everything up to its resourceVersion is in its pages, everything later comes by the watch that opens at
 * it, so from here on nothing escapes, however long the paging takes and however often it is interrupted.
 */
function firstPage(state: SourceState, page: Page): Step {
  const { stream } = state;
  const checkpoint = checkpointOf(stream);
  if (checkpoint !== undefined && compareResourceVersions(page.rv, checkpoint) < 0) return backOff(state);
  const ready: SourceState = { ...state, fromNow: false, expired: false, quickCloses: 0, pageFailures: 0 };
  // Nothing at all has happened since: there is nothing to list, and nothing was missed.
  if (stream.listing === undefined && page.rv === stream.rv) return watch(ready, page.rv, page.rv);
  const records = unread(stream, page.records, page.rv);
  const listing: Omit<Listing, 'token'> = {
    rv: page.rv,
    to: page.rv,
    gap: isBeginning(state, page.rv) ? undefined : 'compacted',
    recovered: records.length,
  };
  const listed = listedUpTo(ready, records, listing, page.token);
  return also(listed, watch(listed.state, page.rv, page.rv));
}

/**
 * Nobody wanted to see what was there before a first start, and what a restored cluster had is announced up to where it
 * was seen. What was overwritten between that and the list is lost: the list may have taken a while to come about.
 */
function isBeginning({ stream, restoredAt }: SourceState, listed: ResourceVersion): boolean {
  return checkpointOf(stream) === undefined && (stream.epoch === 0 || listed === restoredAt);
}

function nextPage(state: SourceState, page: Page): Step {
  const { listing } = state.stream;
  if (listing === undefined) return unchanged({ ...state, paging: 'idle' });
  if (compareResourceVersions(page.rv, listing.to) < 0) return pageExpired(state, undefined);
  const records = unread(state.stream, page.records, listing.to);
  const recovered = listing.recovered + records.length;
  return listedUpTo({ ...state, pageFailures: 0 }, records, { ...listing, recovered }, page.token);
}

/** One page's records, and in the same transaction where to go on; or the end of the list, with what it has missed. */
function listedUpTo(
  state: SourceState,
  records: readonly NewRecord[],
  listing: Omit<Listing, 'token'>,
  token: string | undefined,
): Step {
  const { stream } = state;
  if (token !== undefined) {
    const more = append(state, { ...stream, listing: { ...listing, token } }, { records });
    return also(more, fetchPage(more.state));
  }
  const { rv, to, recovered } = listing;
  const gap = listing.gap && { cause: listing.gap, from: stream.rv, to, recovered };
  return append({ ...state, paging: 'idle' }, { ...stream, rv, listing: undefined }, { records, gap });
}

function lines(state: SourceState, records: readonly NewRecord[], rv: ResourceVersion): Step {
  const checkpoint = checkpointOf(state.stream);
  if (checkpoint === undefined) return unchanged(state);
  const fresh = inOrder(records, positionOf(checkpoint));
  const late = state.late + records.length - fresh.length;
  const moved = compareResourceVersions(rv, checkpoint) > 0;
  if (!moved) return unchanged({ ...state, late });
  const healthy = { ...state, late, failures: 0, quickCloses: 0 };
  return append(healthy, withCheckpoint(state.stream, rv), { records: fresh });
}

function ended(state: SourceState, how: 'timeout' | 'early' | 'at-once'): Step {
  if (how === 'timeout') {
    const checkpoint = checkpointOf(state.stream);
    const healthy = { ...state, failures: 0, quickCloses: 0 };
    const { listed } = state;
    if (checkpoint === undefined || listed === undefined || compareResourceVersions(listed, checkpoint) <= 0) {
      return probe(healthy);
    }
    const told = append(healthy, withCheckpoint(state.stream, listed));
    return also(told, probe(told.state));
  }
  if (how === 'early') return probe({ ...state, failures: 0 });
  const quickCloses = state.quickCloses + 1;
  return wait({ ...state, quickCloses }, backOffMs(quickCloses));
}

/** The first 410 of a healthy stream is answered at once; one that follows upon another, after a while. */
function again(state: SourceState): Step {
  const failures = state.failures + 1;
  return failures === 1 ? probe({ ...state, failures }) : wait({ ...state, failures }, backOffMs(failures - 1));
}

function backOff(state: SourceState, afterMs = 0): Step {
  const failures = state.failures + 1;
  return wait({ ...state, failures }, Math.max(afterMs, backOffMs(failures)));
}

function wait(state: SourceState, ms: number): Step {
  return { state: { ...state, phase: 'waiting' }, effects: [{ kind: 'wait', ms }] };
}

/**
 * The list's snapshot has been compacted. The API server hands out a token that goes on from the same name in the
 * present: what was overwritten or deleted behind that name since the snapshot is lost, and the gap record will say so.
 * Without a token the list must begin anew.
 */
function pageExpired(state: SourceState, token: string | undefined): Step {
  const { stream } = state;
  if (token === undefined || stream.listing === undefined) {
    const idle: SourceState = { ...state, paging: 'idle', expired: true };
    return state.phase === 'watching' ? again(idle) : unchanged(idle);
  }
  const listing: Listing = { ...stream.listing, token, gap: stream.listing.gap ?? 'expired-token' };
  const next = { ...state, stream: { ...stream, listing }, pageFailures: state.pageFailures + 1 };
  return next.pageFailures === 1 ? fetchPage(next) : pageWait(next, backOffMs(next.pageFailures - 1));
}

function pageBackOff(state: SourceState, afterMs = 0): Step {
  const pageFailures = state.pageFailures + 1;
  return pageWait({ ...state, pageFailures }, Math.max(afterMs, backOffMs(pageFailures)));
}

function pageWait(state: SourceState, ms: number): Step {
  return { state: { ...state, paging: 'waiting' }, effects: [{ kind: 'page-wait', ms }] };
}

function fetchPage(state: SourceState): Step {
  const { listing } = state.stream;
  if (listing === undefined) return unchanged({ ...state, paging: 'idle' });
  return { state: { ...state, paging: 'fetching' }, effects: [{ kind: 'page', token: listing.token }] };
}

function withCheckpoint(stream: StreamState, rv: ResourceVersion): StreamState {
  return stream.listing ? { ...stream, listing: { ...stream.listing, rv } } : { ...stream, rv };
}

const PROBE: Effect = { kind: 'probe' };
const STOP_PAGING: Effect = { kind: 'stop-paging' };
