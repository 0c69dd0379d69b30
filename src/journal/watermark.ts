import {
  type Cursor,
  compareResourceVersions,
  type Position,
  positionOf,
  type ResourceVersion,
} from '../envelope/position.ts';
import type { StreamState } from './record.ts';

/**
 * Up to where a stream may be read: all of its earlier epochs, and of the current one what stands at or below its rv.
 * The tilde sorts behind the `!` of a gap record, which is so read together with the revision that it follows.
 */
export function visibleEnd({ epoch, rv }: Pick<StreamState, 'epoch' | 'rv'>): Cursor {
  return { epoch, position: (rv === undefined ? '' : `${positionOf(rv)}~`) as Position };
}

/** The newer of two; anything is newer than none. */
export function higher(a: ResourceVersion | undefined, b: ResourceVersion | undefined): ResourceVersion | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareResourceVersions(a, b) >= 0 ? a : b;
}
