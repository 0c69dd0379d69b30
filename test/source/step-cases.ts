/** What the tests of the step function share: states, records, and what came out, short enough for a table. */
import {
  parseResourceVersion,
  positionOf,
  type ResourceVersion,
  type StreamName,
} from '../../src/envelope/position.ts';
import type { Listing, NewRecord, StreamState } from '../../src/journal/record.ts';
import type { AuditRun } from '../../src/source/audit-state.ts';
import type { Effect, Input, SourceState } from '../../src/source/state.ts';
import { begin, step } from '../../src/source/step.ts';

const STREAM = 'web' as StreamName;

export function rv(text: string): ResourceVersion {
  const parsed = parseResourceVersion(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

export function record(version: string): NewRecord {
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

export const LISTING: Listing = { rv: rv('120'), token: 'next', to: rv('110'), gap: 'compacted', recovered: 3 };

/** An audit of what lies at or below 100, on its second page. */
export const RUN: AuditRun = { upTo: rv('100'), token: 'a2', missed: [], looked: 5, found: 0, failures: 0 };

export function stream(over: Partial<StreamState> = {}): StreamState {
  return { stream: STREAM, epoch: 2, rv: rv('100'), floor: undefined, listing: undefined, ...over };
}

export function state(over: Partial<SourceState> = {}): SourceState {
  return { ...begin(stream(), { fromNow: false }).state, audit: { phase: 'resting' }, listed: rv('105'), ...over };
}

/** What came out, short enough for a table: phase, paging, and the effects. */
export function told(before: SourceState, input: Input): string {
  const { state: after, effects } = step(before, input);
  return [`${after.phase}/${after.paging}`, ...effects.map(short)].join(' ');
}

/** The same of the audit's side. */
export function toldOfAudit(before: SourceState, input: Input): string {
  const { state: after, effects } = step(before, input);
  return [after.audit.phase, ...effects.map(short)].join(' ');
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
    case 'audit-wait':
      return `${effect.kind}(${effect.ms})`;
    case 'audit-page':
      return `audit-page(${effect.token ?? 'first'})`;
    case 'audit-ask':
      return `audit-ask(${effect.records.map(({ position }) => position.slice(2)).join(' ')})`;
    case 'audit-found':
      return `found(${effect.count} ${effect.what})`;
    case 'audit-ended':
      return `ended(${effect.looked} looked ${effect.found} found)`;
    default:
      return effect.kind;
  }
}
