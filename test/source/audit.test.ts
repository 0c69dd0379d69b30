import { describe, expect, it } from 'vitest';
import type { Audit, AuditRun } from '../../src/source/audit-state.ts';
import type { Input } from '../../src/source/state.ts';
import { begin, step } from '../../src/source/step.ts';
import { LISTING, RUN, record, rv, state, stream, told, toldOfAudit } from './step-cases.ts';

const ASKED = [record('40'), record('50'), record('60')];

function asking(run: Partial<AuditRun> = {}, asked = ASKED): Audit {
  return { phase: 'asking', run: { ...RUN, ...run }, asked, rv: rv('130') };
}

function pageAt(version: string, ...records: readonly string[]): Input {
  return { kind: 'audit-page', page: { rv: rv(version), records: records.map(record), token: 'a3' } };
}

describe('an audit', () => {
  it('is due at the start of a stream that the journal knows, and begins with the watch', () => {
    const start = begin(stream(), { fromNow: false });
    expect(start.effects).toEqual([{ kind: 'probe' }]);
    const probed: Input = { kind: 'probed', rv: rv('105') };
    expect(toldOfAudit(start.state, probed)).toBe('fetching watch(100) audit-page(first)');
    expect(step(start.state, probed).state.audit).toMatchObject({ run: { upTo: '100' } });
  });

  it('rests at first when there is nothing yet to be audited', () => {
    const { state: started, effects } = begin(stream({ rv: undefined }), { fromNow: false });
    expect(started.audit.phase).toBe('resting');
    expect(effects).toEqual([{ kind: 'probe' }, { kind: 'audit-rest' }]);
  });

  it('waits while a list is under way, and begins at its end', () => {
    const before = state({
      phase: 'watching',
      paging: 'fetching',
      audit: { phase: 'due' },
      stream: stream({ listing: LISTING }),
    });
    const page = (token: string | undefined): Input => ({ kind: 'page', page: { rv: rv('110'), records: [], token } });
    expect(toldOfAudit(before, page('p3'))).toBe('due append(e2:100+120@p3) page(p3)');
    expect(toldOfAudit(before, page(undefined))).toBe('fetching append(e2:120 compacted:100..110=3) audit-page(first)');
  });

  it('is withdrawn when a list begins, or when the stream is refused', () => {
    const probing = state({ expired: true, audit: { phase: 'pausing', run: RUN } });
    const expected = 'due stop-paging list stop-audit';
    expect(toldOfAudit(probing, { kind: 'probed', rv: rv('105') })).toBe(expected);
    expect(toldOfAudit(probing, { kind: 'refused' })).toBe('due stop stop-paging stop-audit');
  });

  it('goes on while the watch is opened anew', () => {
    const before = state({ phase: 'watching', audit: { phase: 'fetching', run: RUN } });
    expect(toldOfAudit(before, { kind: 'failed' })).toBe('fetching wait(800)');
  });

  it('asks for nothing above the watermark at which it began: that is the watch\u2019s business', () => {
    const before = state({ phase: 'watching', audit: { phase: 'fetching', run: RUN } });
    expect(toldOfAudit(before, pageAt('130', '100', '101', '99'))).toBe('asking audit-ask(100 99)');
    expect(toldOfAudit(before, pageAt('130', '101'))).toBe('pausing audit-pause');
  });

  it('does not believe an API server that stands before the watermark, and begins again later', () => {
    const before = state({ phase: 'watching', audit: { phase: 'fetching', run: RUN } });
    expect(toldOfAudit(before, pageAt('99', '98'))).toBe('pausing audit-wait(800)');
    const { state: after } = step(before, pageAt('99', '98'));
    expect(toldOfAudit(after, { kind: 'audit-next' })).toBe('fetching audit-page(first)');
  });

  it('begins again when its snapshot is gone and there is no token, else goes on in the present', () => {
    const before = state({ phase: 'watching', audit: { phase: 'fetching', run: RUN } });
    const after = (token: string | undefined) => step(before, { kind: 'audit-expired', token }).state;
    expect(toldOfAudit(after('present'), { kind: 'audit-next' })).toBe('fetching audit-page(present)');
    expect(toldOfAudit(after(undefined), { kind: 'audit-next' })).toBe('fetching audit-page(first)');
  });

  it('finds nothing when the journal has had everything', () => {
    const before = state({ phase: 'watching', audit: asking({ token: undefined }) });
    expect(toldOfAudit(before, { kind: 'audit-told', lookUps: ['known', 'known', 'known'] })).toBe(
      'resting ended(5 looked 0 found) audit-rest',
    );
  });

  it('delivers what it has found on all pages together, in one new epoch that stands where the last one stood', () => {
    const before = state({ phase: 'watching', stream: stream({ rv: rv('170') }), audit: asking() });
    const first = step(before, { kind: 'audit-told', lookUps: ['known', 'unknown', 'known'] });
    expect(first.effects).toEqual([{ kind: 'audit-pause' }]);
    const { run } = first.state.audit.phase === 'pausing' ? first.state.audit : expect.unreachable();
    const last = state({ ...first.state, audit: asking({ ...run, token: undefined }, [record('30')]) });
    expect(toldOfAudit(last, { kind: 'audit-told', lookUps: ['unknown'] })).toBe(
      'resting append(e3:170 50 30) found(2 missed) ended(5 looked 2 found) audit-rest',
    );
  });

  it('delivers in between when that is much', () => {
    const missed = Array.from({ length: 499 }, (_, index) => record(String(index + 1000)));
    const before = state({ phase: 'watching', audit: asking({ missed }) });
    const { state: after, effects } = step(before, { kind: 'audit-told', lookUps: ['known', 'known', 'unknown'] });
    expect(effects.map(({ kind }) => kind)).toEqual(['append', 'audit-found', 'audit-pause']);
    expect(after.audit).toMatchObject({ phase: 'pausing', run: { missed: [], found: 1 } });
  });

  it('that finds another Event in the place of a known one tells of a restore: a gap record in a new epoch, and a list', () => {
    const before = state({ phase: 'watching', audit: asking({ missed: [record('10')] }) });
    const input: Input = { kind: 'audit-told', lookUps: ['known', 'unknown', 'another'] };
    expect(told(before, input)).toBe(
      'relisting/idle append(e3:- restored:100..130=0) stop-paging list found(2 restored) ended(5 looked 2 found) audit-rest',
    );
  });

  it('after which the watch goes on in the new epoch', () => {
    const before = state({ phase: 'watching', audit: asking({ token: undefined }) });
    const { state: after } = step(before, { kind: 'audit-told', lookUps: ['unknown', 'known', 'known'] });
    expect(told(after, { kind: 'lines', records: [record('101')], rv: rv('101') })).toBe(
      'watching/idle append(e3:101 101)',
    );
  });
});
