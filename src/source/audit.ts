/**
 * The audit: what the watch should have told, compared with what the API server has.
 *
 * A watch promises every revision in order, and a broken store, a proxy on the way or a defect of ours may break that
 * without a trace. So now and then the Events are listed, page by page with pauses, and the journal is asked for each
 * revision at or below the watermark. One that it has never had was missed: it is delivered now, in a new epoch, since it
 * comes out of its order; the watch goes on where it stands. One in whose place the journal has another shows that the
 * cluster was restored from a backup and has overtaken the checkpoint, so that nobody saw it go back: then everything is
 * listed anew, as after a restore that was seen.
 *
 * That an Event is not there any more proves nothing: Events expire.
 */
import { compareResourceVersions, positionOf } from '../envelope/position.ts';
import type { LookUp, NewRecord } from '../journal/record.ts';
import type { AuditInput, AuditRun } from './audit-state.ts';
import { backOffMs } from './back-off.ts';
import type { Page } from './page.ts';
import { restored } from './relist.ts';
import type { SourceState, Step } from './state.ts';
import { also, append, unchanged } from './steps.ts';

/** Found records are held until there are so many of either: memory is bounded, and epochs are few. */
const HELD_RECORDS = 500;
const HELD_BYTES = 8 * 1024 * 1024;

export function auditStep(state: SourceState, input: AuditInput): Step {
  const { audit } = state;
  switch (input.kind) {
    case 'audit-due':
      return { state: { ...state, audit: { phase: 'due' } }, effects: [{ kind: 'stop-audit' }] };
    case 'audit-page':
      return audit.phase === 'fetching' ? ask(state, audit.run, input.page) : unchanged(state);
    case 'audit-told':
      return told(state, input.lookUps);
    case 'audit-expired':
      return audit.phase === 'fetching' ? expired(state, audit.run, input.token) : unchanged(state);
    case 'audit-failed':
      return audit.phase === 'fetching' ? backOff(state, audit.run, input.afterMs) : unchanged(state);
    case 'audit-next':
      return audit.phase === 'pausing' ? fetch(state, audit.run) : unchanged(state);
  }
}

/** Begins the audit that is due as soon as it can, and withdraws it when a list begins: that one brings everything. */
export function withAudit(step: Step): Step {
  const { audit, phase, stream } = step.state;
  const listing = phase === 'relisting' || stream.listing !== undefined;
  if (audit.phase === 'due' && phase === 'watching' && !listing && stream.rv !== undefined) {
    const run: AuditRun = { ...FIRST_PAGE, upTo: stream.rv, failures: 0 };
    return also(step, fetch(step.state, run));
  }
  const running = audit.phase !== 'due' && audit.phase !== 'resting';
  if (!running || !(listing || phase === 'refused')) return step;
  return also(step, { state: { ...step.state, audit: { phase: 'due' } }, effects: [{ kind: 'stop-audit' }] });
}

const FIRST_PAGE = { token: undefined, missed: [], looked: 0, found: 0 };

function fetch(state: SourceState, run: AuditRun): Step {
  return {
    state: { ...state, audit: { phase: 'fetching', run } },
    effects: [{ kind: 'audit-page', token: run.token }],
  };
}

function ask(state: SourceState, run: AuditRun, { rv, records, token }: Page): Step {
  // An API server that stands before the watermark is not believed: the next probe tells whether it was restored.
  if (compareResourceVersions(rv, run.upTo) < 0) return expired(state, run, undefined);
  const last = positionOf(run.upTo);
  const asked = records.filter(({ position }) => position <= last);
  const next = { ...run, token, looked: run.looked + asked.length, failures: 0 };
  if (asked.length === 0) return goOn(state, next);
  return {
    state: { ...state, audit: { phase: 'asking', run: next, asked, rv } },
    effects: [{ kind: 'audit-ask', records: asked }],
  };
}

function told(state: SourceState, lookUps: readonly LookUp[]): Step {
  const { audit } = state;
  if (audit.phase !== 'asking') return unchanged(state);
  const { run, asked, rv } = audit;
  const missed = asked.filter((_, at) => lookUps[at] === 'unknown');
  if (!lookUps.includes('another')) {
    return goOn(state, { ...run, missed: [...run.missed, ...missed], found: run.found + missed.length });
  }
  const count = lookUps.filter((each) => each !== 'known').length;
  const again = restored(state, rv, run.upTo);
  const found: Step = { state: again.state, effects: [{ kind: 'audit-found', what: 'restored', count }] };
  return also(also(again, found), rest(again.state, { ...run, found: run.found + count }));
}

/** Behind a page: the next one, or the end. */
function goOn(state: SourceState, run: AuditRun): Step {
  const bytes = run.missed.reduce((sum, { data }) => sum + data.length, 0);
  const last = run.token === undefined;
  if (!last && run.missed.length < HELD_RECORDS && bytes < HELD_BYTES) return pause(state, run);
  const delivered = deliver(state, run.missed);
  return also(delivered, last ? rest(delivered.state, run) : pause(delivered.state, { ...run, missed: [] }));
}

/** Late rows are a new epoch's first ones, and can be read at once, for it stands where the last one stood. */
function deliver(state: SourceState, records: readonly NewRecord[]): Step {
  if (records.length === 0) return unchanged(state);
  const { stream } = state;
  const appended = append(state, { ...stream, epoch: stream.epoch + 1 }, { records });
  const found: Step = {
    state: appended.state,
    effects: [{ kind: 'audit-found', what: 'missed', count: records.length }],
  };
  return also(appended, found);
}

/**
 * The list's snapshot is gone. Going on in the present does for an audit: what was written since is above the watermark.
 * Without a token, from the first page; what was found and is held is found again.
 */
function expired(state: SourceState, run: AuditRun, token: string | undefined): Step {
  return backOff(state, token === undefined ? { ...run, ...FIRST_PAGE } : { ...run, token });
}

function backOff(state: SourceState, run: AuditRun, afterMs = 0): Step {
  const failures = run.failures + 1;
  return {
    state: { ...state, audit: { phase: 'pausing', run: { ...run, failures } } },
    effects: [{ kind: 'audit-wait', ms: Math.max(afterMs, backOffMs(failures)) }],
  };
}

function pause(state: SourceState, run: AuditRun): Step {
  return { state: { ...state, audit: { phase: 'pausing', run } }, effects: [{ kind: 'audit-pause' }] };
}

function rest(state: SourceState, { looked, found }: AuditRun): Step {
  return {
    state: { ...state, audit: { phase: 'resting' } },
    effects: [{ kind: 'audit-ended', looked, found }, { kind: 'audit-rest' }],
  };
}
