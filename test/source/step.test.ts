import { describe, expect, it } from 'vitest';
import {
  parseResourceVersion,
  positionOf,
  type ResourceVersion,
  type StreamName,
} from '../../src/envelope/position.ts';
import type { Listing, NewRecord, StreamState } from '../../src/journal/record.ts';
import type { Effect, Input, Paging, Phase, SourceState } from '../../src/source/state.ts';
import { backOffMs, begin, step } from '../../src/source/step.ts';

const STREAM = 'web' as StreamName;

function rv(text: string): ResourceVersion {
  const parsed = parseResourceVersion(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function record(version: string): NewRecord {
  const attributes = {} as NewRecord['attributes'];
  return {
    position: positionOf(rv(version)),
    kind: 'event',
    key: 'k',
    origin: 'live',
    attributes,
    data: new Uint8Array(),
  };
}

const LISTING: Listing = { rv: rv('120'), token: 'next', to: rv('110'), gap: 'compacted', recovered: 3 };

function stream(over: Partial<StreamState> = {}): StreamState {
  return { stream: STREAM, epoch: 2, rv: rv('100'), floor: undefined, listing: undefined, ...over };
}

function state(over: Partial<SourceState> = {}): SourceState {
  return { ...begin(stream(), { fromNow: false }).state, listed: rv('105'), ...over };
}

/** What came out, short enough for a table: phase, paging, and the effects. */
function told(before: SourceState, input: Input): string {
  const { state: after, effects } = step(before, input);
  return [`${after.phase}/${after.paging}`, ...effects.map(short)].join(' ');
}

function short(effect: Effect): string {
  switch (effect.kind) {
    case 'append': {
      const { records, gap, state: to } = effect;
      const listing = to.listing === undefined ? '' : `+${to.listing.rv}@${to.listing.token}`;
      const what = [`e${to.epoch}:${to.rv ?? '-'}${listing}`, ...records.map(({ position }) => position.slice(2))];
      if (gap) what.push(`${gap.cause}:${gap.from ?? '-'}..${gap.to}=${gap.recovered}`);
      return `append(${what.join(' ')})`;
    }
    case 'watch':
      return `watch(${effect.from})`;
    case 'page':
      return `page(${effect.token})`;
    case 'wait':
    case 'page-wait':
      return `${effect.kind}(${effect.ms})`;
    default:
      return effect.kind;
  }
}

type PageKind = Extract<Input['kind'], `page${string}`>;
type WatchKind = Exclude<Input['kind'], PageKind>;
const IGNORED = 'ignored';

const WATCH_INPUTS: { readonly [Kind in WatchKind]: Extract<Input, { kind: Kind }> } = {
  probed: { kind: 'probed', rv: rv('105') },
  'first-page': { kind: 'first-page', page: { rv: rv('130'), records: [record('90'), record('101')], token: 'p2' } },
  lines: { kind: 'lines', records: [record('101'), record('103')], rv: rv('104') },
  ended: { kind: 'ended', how: 'timeout' },
  expired: { kind: 'expired' },
  failed: { kind: 'failed', afterMs: 5_000 },
  blocked: { kind: 'blocked' },
  due: { kind: 'due' },
  refused: { kind: 'refused' },
};

/** Total: a phase or an input without its cell does not compile. A healthy stream at 100, of which 105 was listed. */
const WATCH_SIDE: Readonly<Record<Phase, Readonly<Record<WatchKind, string>>>> = {
  probing: {
    probed: 'watching/idle watch(100)',
    'first-page': IGNORED,
    lines: IGNORED,
    ended: IGNORED,
    expired: 'probing/idle probe',
    failed: 'waiting/idle wait(5000)',
    blocked: IGNORED,
    due: IGNORED,
    refused: 'refused/idle stop stop-paging',
  },
  relisting: {
    probed: IGNORED,
    'first-page': 'watching/fetching append(e2:100+130@p2 101) page(p2) watch(130)',
    lines: IGNORED,
    ended: IGNORED,
    expired: 'probing/idle probe',
    failed: 'waiting/idle wait(5000)',
    blocked: IGNORED,
    due: IGNORED,
    refused: 'refused/idle stop stop-paging',
  },
  watching: {
    probed: IGNORED,
    'first-page': IGNORED,
    lines: 'watching/idle append(e2:104 101 103)',
    ended: 'probing/idle append(e2:105) probe',
    expired: 'probing/idle probe',
    failed: 'waiting/idle wait(5000)',
    blocked: 'waiting/idle wait-for-room',
    due: IGNORED,
    refused: 'refused/idle stop stop-paging',
  },
  waiting: {
    probed: IGNORED,
    'first-page': IGNORED,
    lines: IGNORED,
    ended: IGNORED,
    expired: IGNORED,
    failed: IGNORED,
    blocked: IGNORED,
    due: 'probing/idle probe',
    refused: 'refused/idle stop stop-paging',
  },
  refused: {
    probed: IGNORED,
    'first-page': IGNORED,
    lines: IGNORED,
    ended: IGNORED,
    expired: IGNORED,
    failed: IGNORED,
    blocked: IGNORED,
    due: IGNORED,
    refused: IGNORED,
  },
};

const PAGE_INPUTS: { readonly [Kind in PageKind]: Extract<Input, { kind: Kind }> } = {
  page: { kind: 'page', page: { rv: rv('110'), records: [record('107'), record('99'), record('111')], token: 'p3' } },
  'page-expired': { kind: 'page-expired', token: 'present' },
  'page-failed': { kind: 'page-failed' },
  'page-due': { kind: 'page-due' },
};

/** A stream at 100 that is watching at 120 while a list at 110 goes on. */
const PAGE_SIDE: Readonly<Record<Paging, Readonly<Record<PageKind, string>>>> = {
  idle: { page: IGNORED, 'page-expired': IGNORED, 'page-failed': IGNORED, 'page-due': IGNORED },
  fetching: {
    page: 'watching/fetching append(e2:100+120@p3 107) page(p3)',
    'page-expired': 'watching/fetching page(present)',
    'page-failed': 'watching/waiting page-wait(800)',
    'page-due': IGNORED,
  },
  waiting: {
    page: IGNORED,
    'page-expired': IGNORED,
    'page-failed': IGNORED,
    'page-due': 'watching/fetching page(next)',
  },
};

function entries<Key extends string, Value>(cells: Readonly<Record<Key, Value>>): readonly (readonly [Key, Value])[] {
  return Object.entries(cells) as [Key, Value][];
}

describe('the watch side, phase by input', () => {
  for (const [phase, cells] of entries(WATCH_SIDE)) {
    for (const [kind, expected] of entries(cells)) {
      it(`${phase}, ${kind}: ${expected}`, () => {
        expect(told(state({ phase }), WATCH_INPUTS[kind])).toBe(expected === IGNORED ? `${phase}/idle` : expected);
      });
    }
  }
});

describe('the paging of a list, by input', () => {
  for (const [paging, cells] of entries(PAGE_SIDE)) {
    for (const [kind, expected] of entries(cells)) {
      it(`${paging}, ${kind}: ${expected}`, () => {
        const before = state({ phase: 'watching', paging, stream: stream({ listing: LISTING }) });
        expect(told(before, PAGE_INPUTS[kind])).toBe(expected === IGNORED ? `watching/${paging}` : expected);
      });
    }
  }
});

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
    const before = state({ phase: 'relisting', stream: stream({ rv: undefined }) });
    expect(told(before, first(undefined))).toBe('watching/idle append(e2:130 101 90) watch(130)');
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
    expect(step(before, WATCH_INPUTS.lines).state).toMatchObject({ failures: 0, quickCloses: 0 });
  });
});

describe('the end of a watch', () => {
  it('by its own timeout commits what was listed before it, unless lines have come further', () => {
    const before = state({ phase: 'watching', listed: rv('100') });
    expect(told(before, { kind: 'ended', how: 'timeout' })).toBe('probing/idle probe');
  });

  it('before its timeout is followed by a probe, and commits nothing', () => {
    expect(told(state({ phase: 'watching' }), { kind: 'ended', how: 'early' })).toBe('probing/idle probe');
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
