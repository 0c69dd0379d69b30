/** The step function against a server that answers whatever it likes, in whatever order, truthfully or not. */
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { Page } from '../../src/source/page.ts';
import type { Effect, Input, SourceState, Step } from '../../src/source/state.ts';
import { begin, step } from '../../src/source/step.ts';
import { FRESH, ModelJournal } from './model-journal.ts';
import { recordOf, version } from './model-server.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 1_000);
vi.setConfig({ testTimeout: 30_000 + 10 * HISTORIES });

const rv = fc.integer({ min: 1, max: 120 });
const records = fc
  .array(rv, { maxLength: 4 })
  .map((versions) =>
    versions.map((at) => recordOf({ rv: at, name: 'a', type: 'ADDED', era: 0, uid: `u${at}`, hidden: false })),
  );
const token = fc.option(fc.constantFrom('one', 'two'), { nil: undefined });
const page: fc.Arbitrary<Page> = fc.record({ rv: rv.map(version), records, token });
const afterMs = fc.option(fc.nat(100_000), { nil: undefined });

/** What a journal knows it says truthfully, so that answer is filled in later. */
const input: fc.Arbitrary<Input> = fc.oneof(
  fc.record({ kind: fc.constant('probed' as const), rv: rv.map(version) }),
  fc.record({ kind: fc.constantFrom('first-page' as const, 'page', 'audit-page'), page }),
  fc.record({ kind: fc.constant('lines' as const), records, rv: rv.map(version) }),
  fc.record({ kind: fc.constant('ended' as const), how: fc.constantFrom('timeout' as const, 'early', 'at-once') }),
  fc.record({ kind: fc.constantFrom('failed' as const, 'page-failed', 'audit-failed'), afterMs }),
  fc.record({ kind: fc.constantFrom('page-expired' as const, 'audit-expired'), token }),
  fc.constantFrom<Input>(
    { kind: 'expired' },
    { kind: 'blocked' },
    { kind: 'due' },
    { kind: 'page-due' },
    { kind: 'audit-due' },
    { kind: 'audit-next' },
    { kind: 'audit-told', lookUps: [] },
  ),
);

const ANSWERED_BY = {
  probing: ['probe'],
  relisting: ['list'],
  watching: ['watch'],
  waiting: ['wait', 'wait-for-room'],
  refused: ['stop'],
} as const satisfies Record<SourceState['phase'], readonly Effect['kind'][]>;

class Played {
  readonly journal = new ModelJournal();
  state: SourceState;
  /** The last effect of the watch's side, and of the list's. */
  watch = '';
  paging = '';

  constructor(fromNow: boolean) {
    const first = begin(FRESH, { fromNow });
    this.state = first.state;
    this.#follow(first);
  }

  answer(given: Input): void {
    const { audit } = this.state;
    const truthful = given.kind === 'audit-told' && audit.phase === 'asking';
    const lookUps = truthful ? audit.asked.map((record) => this.journal.lookUp(record)) : [];
    this.#follow(step(this.state, truthful ? { kind: 'audit-told', lookUps } : given));
  }

  #follow({ state, effects }: Step): void {
    this.state = state;
    for (const effect of effects) {
      if (effect.kind === 'append') this.journal.commit(effect);
      else if (effect.kind === 'page' || effect.kind === 'page-wait') this.paging = effect.kind;
      else if (!effect.kind.includes('-') || effect.kind === 'wait-for-room') this.watch = effect.kind;
    }
  }
}

it('puts nothing below the watermark, never goes back, and always has something under way, whatever is answered', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(input, { maxLength: 80, size: 'max' }), (fromNow, inputs) => {
      const played = new Played(fromNow);
      for (const each of inputs) {
        played.answer(each);
        const { phase, paging, stream } = played.state;
        expect(ANSWERED_BY[phase]).toContain(played.watch);
        if (paging !== 'idle') expect(played.paging).toBe(paging === 'fetching' ? 'page' : 'page-wait');
        if (played.journal.state !== undefined) expect(stream.epoch).toBe(played.journal.state.epoch);
      }
    }),
    { numRuns: HISTORIES },
  );
});
