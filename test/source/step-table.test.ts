import { describe, expect, it } from 'vitest';
import type { Audit, AuditInput } from '../../src/source/audit-state.ts';
import type { Input, Paging, Phase } from '../../src/source/state.ts';
import { LISTING, RUN, record, rv, state, stream, told, toldOfAudit } from './step-cases.ts';

type PageKind = Extract<Input['kind'], `page${string}`>;
type AuditKind = AuditInput['kind'];
type WatchKind = Exclude<Input['kind'], PageKind | AuditKind>;
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

const AUDIT_INPUTS: { readonly [Kind in AuditKind]: Extract<Input, { kind: Kind }> } = {
  'audit-due': { kind: 'audit-due' },
  'audit-page': {
    kind: 'audit-page',
    page: { rv: rv('130'), records: [record('101'), record('99'), record('100')], token: 'a3' },
  },
  'audit-told': { kind: 'audit-told', lookUps: ['known', 'unknown'] },
  'audit-expired': { kind: 'audit-expired', token: 'present' },
  'audit-failed': { kind: 'audit-failed', afterMs: 5_000 },
  'audit-next': { kind: 'audit-next' },
};

const ASKED = [record('99'), record('100')];
const AUDITS: Readonly<Record<Audit['phase'], Audit>> = {
  resting: { phase: 'resting' },
  due: { phase: 'due' },
  fetching: { phase: 'fetching', run: RUN },
  asking: { phase: 'asking', run: { ...RUN, token: undefined }, asked: ASKED, rv: rv('130') },
  pausing: { phase: 'pausing', run: RUN },
};

/** A stream at 100 that is watching; the page asked about is the last one. */
const AUDIT_SIDE: Readonly<Record<Audit['phase'], Readonly<Record<AuditKind, string>>>> = {
  resting: {
    'audit-due': 'fetching stop-audit audit-page(first)',
    'audit-page': IGNORED,
    'audit-told': IGNORED,
    'audit-expired': IGNORED,
    'audit-failed': IGNORED,
    'audit-next': IGNORED,
  },
  due: {
    'audit-due': 'due stop-audit',
    'audit-page': IGNORED,
    'audit-told': IGNORED,
    'audit-expired': IGNORED,
    'audit-failed': IGNORED,
    'audit-next': IGNORED,
  },
  fetching: {
    'audit-due': 'fetching stop-audit audit-page(first)',
    'audit-page': 'asking audit-ask(99 100)',
    'audit-told': IGNORED,
    'audit-expired': 'pausing audit-wait(800)',
    'audit-failed': 'pausing audit-wait(5000)',
    'audit-next': IGNORED,
  },
  asking: {
    'audit-due': 'fetching stop-audit audit-page(first)',
    'audit-page': IGNORED,
    'audit-told': 'resting append(e3:100 100) found(1 missed) ended(5 looked 1 found) audit-rest',
    'audit-expired': IGNORED,
    'audit-failed': IGNORED,
    'audit-next': IGNORED,
  },
  pausing: {
    'audit-due': 'fetching stop-audit audit-page(first)',
    'audit-page': IGNORED,
    'audit-told': IGNORED,
    'audit-expired': IGNORED,
    'audit-failed': IGNORED,
    'audit-next': 'fetching audit-page(a2)',
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

describe('the audit, by input', () => {
  for (const [phase, cells] of entries(AUDIT_SIDE)) {
    for (const [kind, expected] of entries(cells)) {
      it(`${phase}, ${kind}: ${expected}`, () => {
        // It is due only while it cannot begin.
        const before = state({ phase: phase === 'due' ? 'probing' : 'watching', audit: AUDITS[phase] });
        expect(toldOfAudit(before, AUDIT_INPUTS[kind])).toBe(expected === IGNORED ? phase : expected);
      });
    }
  }
});
