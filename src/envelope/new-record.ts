import type { Attributes, ObjectKey, Origin } from './cloud-event.ts';
import type { Position } from './position.ts';

/** What the envelope makes of an Event or a gap: a record of the journal before it has a place there. */
export interface NewRecord {
  readonly position: Position;
  readonly kind: 'event' | 'gap';
  readonly key: ObjectKey;
  readonly origin: Exclude<Origin, 'replay'>;
  /** Without `origin`, which is the record's own. */
  readonly attributes: Omit<Attributes, 'origin'>;
  /** UTF-8 JSON. */
  readonly data: Uint8Array;
}
