import { type Cursor, type Position, positionOf } from '../envelope/position.ts';
import type { StreamState } from './record.ts';

/**
 * Up to where a stream may be read: all of its earlier epochs, and of the current one what stands at or below its rv.
 * The tilde sorts behind the `!` of a gap record, which is so read together with the revision that it follows.
 */
export function visibleEnd({ epoch, rv }: Pick<StreamState, 'epoch' | 'rv'>): Cursor {
  return { epoch, position: (rv === undefined ? '' : `${positionOf(rv)}~`) as Position };
}
