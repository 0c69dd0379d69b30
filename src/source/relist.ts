/** A list of everything begins, in the same history or in another one. */
import type { ResourceVersion } from '../envelope/position.ts';
import { checkpointOf, type GapFound, type SourceState, type Step } from './state.ts';
import { also, append } from './steps.ts';

export function relist(state: SourceState): Step {
  return {
    state: { ...state, phase: 'relisting', paging: 'idle' },
    effects: [{ kind: 'stop-paging' }, { kind: 'list' }],
  };
}

/**
 * etcd was restored from a backup: the API server stands before what it has told already, or has overtaken it and names
 * other content by the same resourceVersions. So all of it goes into a new epoch, behind a gap record that says so.
 */
export function restored(
  state: SourceState,
  stands: ResourceVersion,
  stood: ResourceVersion | undefined = checkpointOf(state.stream),
): Step {
  const { stream } = state;
  const next = { ...stream, epoch: stream.epoch + 1, rv: undefined, floor: undefined, listing: undefined };
  const gap: GapFound = { cause: 'restored', from: stood, to: stands, recovered: 0 };
  const told = append({ ...state, expired: false, quickCloses: 0, restoredAt: stands }, next, { gap });
  return also(told, relist(told.state));
}
