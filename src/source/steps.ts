/** What steps are made of. */
import type { NewRecord, StreamState } from '../journal/record.ts';
import type { GapFound, SourceState, Step } from './state.ts';

export function unchanged(state: SourceState): Step {
  return { state, effects: [] };
}

/** `then` was made from the state that `first` left. */
export function also(first: Step, then: Step): Step {
  return { state: then.state, effects: [...first.effects, ...then.effects] };
}

export function append(
  state: SourceState,
  stream: StreamState,
  what: { readonly records?: readonly NewRecord[]; readonly gap?: GapFound | undefined } = {},
): Step {
  return {
    state: { ...state, stream },
    effects: [{ kind: 'append', records: what.records ?? [], gap: what.gap, state: stream }],
  };
}
