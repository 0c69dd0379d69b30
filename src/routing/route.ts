/** A route as the delivery sees it: what its config says, compiled. `compile.ts` makes them. */
import type { Destination, RejectReason } from '../adapter.ts';
import type { JournalRecord, RouteName } from '../journal/record.ts';

export type Decision =
  | { readonly kind: 'publish'; readonly destination: Destination; readonly key: string }
  | { readonly kind: 'filtered' }
  /** Older than the route's `maxAge`. */
  | { readonly kind: 'expired' }
  /** The name or key cannot be made for this record. */
  | { readonly kind: 'reject'; readonly reason: RejectReason; readonly detail: string };

export interface Route {
  readonly name: RouteName;
  readonly broker: string;
  readonly startFrom: 'now' | 'oldest';
  readonly atQuota: 'expire' | 'block';
  /** The destination where it is the same for every record. */
  readonly constantDestination: Destination | undefined;
  /** Pure but for the clock, which only `maxAge` reads; never throws. */
  decide(record: JournalRecord, now: number): Decision;
}
