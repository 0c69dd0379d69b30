import { describe, expect, it } from 'vitest';
import { backOffMs } from '../../src/source/back-off.ts';
import type { Input } from '../../src/source/state.ts';
import { step } from '../../src/source/step.ts';
import { LISTING, record, rv, state, stream, told } from './step-cases.ts';

describe('a probe', () => {
  const probed = (version: string): Input => ({ kind: 'probed', rv: rv(version) });

  it('leads to a list when the stream has no resourceVersion yet', () => {
    expect(told(state({ stream: stream({ rv: undefined }) }), probed('105'))).toBe('relisting/idle stop-paging list');
  });

  it('is where a stream begins that wants nothing of the past', () => {
    const before = state({ stream: stream({ rv: undefined }), fromNow: true });
    const { effects } = step(before, probed('105'));
    expect(told(before, probed('105'))).toBe('watching/idle append(e2:105) watch(105)');
    expect(effects[0]).toMatchObject({ state: { rv: '105', floor: '105' } });
  });

  it('that stands before the checkpoint tells of a restore: another epoch, a gap record, and a list', () => {
    const expected = 'relisting/idle append(e3:- restored:100..99=0) stop-paging list';
    expect(told(state(), probed('99'))).toBe(expected);
  });

  it('compares by length before character, so 99 is older than 100', () => {
    expect(told(state({ stream: stream({ rv: rv('99') }) }), probed('100'))).toBe('watching/idle watch(99)');
  });

  it('that stands before the checkpoint of a watch beside a list tells of a restore too', () => {
    const before = state({ stream: stream({ listing: LISTING }) });
    expect(told(before, probed('119'))).toBe('relisting/idle append(e3:- restored:120..119=0) stop-paging list');
  });

  it('after a restart in the middle of a list goes on with both, the watch and the list', () => {
    const before = state({ stream: stream({ listing: LISTING }) });
    expect(told(before, probed('125'))).toBe('watching/fetching page(next) watch(120)');
  });

  it('leaves a list alone that is under way', () => {
    const before = state({ stream: stream({ listing: LISTING }), paging: 'waiting' });
    expect(told(before, probed('125'))).toBe('watching/waiting watch(120)');
  });

  it('leads to a list when the history has expired', () => {
    expect(told(state({ expired: true }), probed('105'))).toBe('relisting/idle stop-paging list');
  });

  it('leads to a list after three watches that closed at once, when there is something unseen', () => {
    expect(told(state({ quickCloses: 2 }), probed('105'))).toBe('watching/idle watch(100)');
    expect(told(state({ quickCloses: 3 }), probed('105'))).toBe('relisting/idle stop-paging list');
    expect(told(state({ quickCloses: 3 }), probed('100'))).toBe('watching/idle watch(100)');
  });
});

describe('a list', () => {
  const first = (token: string | undefined): Input => {
    return { kind: 'first-page', page: { rv: rv('130'), records: [record('101'), record('90')], token } };
  };

  it('of one page is complete at once, and says what may have been missed', () => {
    const expected = 'watching/idle append(e2:130 101 compacted:100..130=1) watch(130)';
    expect(told(state({ phase: 'relisting' }), first(undefined))).toBe(expected);
  });

  it('at the first start misses nothing', () => {
    const before = state({ phase: 'relisting', stream: stream({ epoch: 0, rv: undefined }) });
    expect(told(before, first(undefined))).toBe('watching/idle append(e0:130 101 90) watch(130)');
  });

  it('after a restore misses nothing where that was seen, and may have missed something since', () => {
    const restored = { phase: 'relisting', stream: stream({ rv: undefined }) } as const;
    const missed = 'watching/idle append(e2:130 101 90 compacted:-..130=2) watch(130)';
    expect(told(state({ ...restored, restoredAt: rv('128') }), first(undefined))).toBe(missed);
    expect(told(state(restored), first(undefined))).toBe(missed);
    const here = 'watching/idle append(e2:130 101 90) watch(130)';
    expect(told(state({ ...restored, restoredAt: rv('130') }), first(undefined))).toBe(here);
  });

  it('that replaces one under way takes its place, with the same beginning of the gap', () => {
    const before = state({ phase: 'relisting', stream: stream({ rv: undefined, listing: LISTING }) });
    expect(told(before, first(undefined))).toBe('watching/idle append(e2:130 101 90 compacted:-..130=2) watch(130)');
  });

  it('that stands before the checkpoint is not believed', () => {
    const before = state({ phase: 'relisting', stream: stream({ rv: rv('131') }) });
    expect(told(before, first(undefined))).toBe('waiting/idle wait(800)');
  });

  it('ends where the watch beside it stands, with a gap record when something was missed', () => {
    const before = state({ phase: 'watching', paging: 'fetching', stream: stream({ listing: LISTING }) });
    const last: Input = { kind: 'page', page: { rv: rv('110'), records: [record('107')], token: undefined } };
    expect(told(before, last)).toBe('watching/idle append(e2:120 107 compacted:100..110=4)');
    const first = { ...LISTING, gap: undefined };
    expect(told({ ...before, stream: stream({ rv: undefined, listing: first }) }, last)).toBe(
      'watching/idle append(e2:120 107)',
    );
  });

  it('whose token has expired says so in the end', () => {
    const listing = { ...LISTING, gap: undefined };
    let now = state({ phase: 'watching', paging: 'fetching', stream: stream({ rv: undefined, listing }) });
    now = step(now, { kind: 'page-expired', token: 'present' }).state;
    const last: Input = { kind: 'page', page: { rv: rv('140'), records: [record('107')], token: undefined } };
    expect(told(now, last)).toBe('watching/idle append(e2:120 107 expired-token:-..110=4)');
  });

  it('whose token expires again and again is slowed down', () => {
    const before = state({
      phase: 'watching',
      paging: 'fetching',
      stream: stream({ listing: LISTING }),
      pageFailures: 1,
    });
    expect(told(before, { kind: 'page-expired', token: 'present' })).toBe('watching/waiting page-wait(800)');
  });

  it('that has expired without another token begins anew, and so does one whose pages come from before its snapshot', () => {
    const before = state({ phase: 'watching', paging: 'fetching', stream: stream({ listing: LISTING }) });
    expect(told(before, { kind: 'page-expired', token: undefined })).toBe('probing/idle probe');
    const older: Input = { kind: 'page', page: { rv: rv('109'), records: [], token: undefined } };
    expect(told(before, older)).toBe('probing/idle probe');
    const waiting = { ...before, phase: 'waiting' as const };
    expect(told(waiting, { kind: 'page-expired', token: undefined })).toBe('waiting/idle');
  });

  it('lets the watch beside it move only its own checkpoint', () => {
    const before = state({ phase: 'watching', stream: stream({ listing: LISTING }) });
    const lines: Input = { kind: 'lines', records: [record('121')], rv: rv('121') };
    expect(told(before, lines)).toBe('watching/idle append(e2:100+121@next 121)');
    const ended: Input = { kind: 'ended', how: 'timeout' };
    expect(told({ ...before, listed: rv('125') }, ended)).toBe('probing/idle append(e2:100+125@next) probe');
  });
});

describe('lines', () => {
  it('at or below the checkpoint are counted and not appended', () => {
    const before = state({ phase: 'watching' });
    const input: Input = { kind: 'lines', records: ['99', '101', '101', '103', '102'].map(record), rv: rv('103') };
    expect(told(before, input)).toBe('watching/idle append(e2:103 101 103)');
    expect(step(before, input).state.late).toBe(3);
    const old: Input = { kind: 'lines', records: [record('99')], rv: rv('99') };
    expect(told(before, old)).toBe('watching/idle');
  });

  it('without a record move the checkpoint: a deletion, a bookmark', () => {
    expect(told(state({ phase: 'watching' }), { kind: 'lines', records: [], rv: rv('104') })).toBe(
      'watching/idle append(e2:104)',
    );
  });

  it('end a series of failures', () => {
    const before = state({ phase: 'watching', failures: 4, quickCloses: 2 });
    expect(step(before, { kind: 'lines', records: [record('101')], rv: rv('101') }).state).toMatchObject({
      failures: 0,
      quickCloses: 0,
    });
  });
});

describe('the end of a watch', () => {
  it('by its own timeout commits what was listed before it, unless lines have come further', () => {
    const before = state({ phase: 'watching', listed: rv('100') });
    expect(told(before, { kind: 'ended', how: 'timeout' })).toBe('probing/idle probe');
  });

  it('before its timeout is followed by a probe, and commits nothing', () => {
    const before = state({ phase: 'watching', failures: 3 });
    expect(told(before, { kind: 'ended', how: 'early' })).toBe('probing/idle probe');
    expect(step(before, { kind: 'ended', how: 'early' }).state.failures).toBe(0);
  });

  it('at once is followed by a wait that grows', () => {
    const before = state({ phase: 'watching', quickCloses: 1 });
    expect(told(before, { kind: 'ended', how: 'at-once' })).toBe('waiting/idle wait(1600)');
  });
});

describe('failures', () => {
  it('in a row wait longer and longer, up to 30 s', () => {
    expect([1, 2, 3, 6, 7, 100].map(backOffMs)).toEqual([800, 1600, 3200, 25_600, 30_000, 30_000]);
    expect(told(state({ failures: 2 }), { kind: 'failed' })).toBe('waiting/idle wait(3200)');
  });

  it('wait as long as the API server says, when that is longer', () => {
    expect(told(state({ failures: 5 }), { kind: 'failed', afterMs: 60_000 })).toBe('waiting/idle wait(60000)');
  });

  it('of the history in a row are not answered at once', () => {
    expect(told(state({ phase: 'watching', failures: 1 }), { kind: 'expired' })).toBe('waiting/idle wait(800)');
  });
});
