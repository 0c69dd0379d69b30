import type { ResourceVersion } from '../envelope/position.ts';
import type { NewRecord } from '../journal/record.ts';

/** A page of a list: its snapshot's resourceVersion, its Events in any order, and how to ask for the next page. */
export interface Page {
  readonly rv: ResourceVersion;
  readonly records: readonly NewRecord[];
  readonly token: string | undefined;
}
