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

/** A decision, and why. */
export type Explanation =
  | Exclude<Decision, { readonly kind: 'filtered' | 'expired' }>
  | ({ readonly kind: 'filtered'; readonly by: 'when' } & DecidingPart)
  /** The route wants no gap records. */
  | { readonly kind: 'filtered'; readonly by: 'gaps' }
  | { readonly kind: 'expired'; readonly ageMs: number; readonly maxAgeMs: number };

/** The smallest part of `when` that decides its answer. */
export interface DecidingPart {
  /** As it stands in the config. */
  readonly part: string;
  /** Where it begins in the config file, counted from 1; undefined when the route came from no file. */
  readonly line: number | undefined;
  /** What it gives: false, or true where that is what the whole denies. */
  readonly gives: boolean;
  /** What the names in it stand for in this Event. */
  readonly values: readonly { readonly name: string; readonly value: string | number | boolean }[];
}

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

/** A route that a person may ask. */
export interface CompiledRoute extends Route {
  /** What `decide` says, and which part of the config says so. Costs more: for people, not for the way of an Event. */
  explain(record: JournalRecord, now: number): Explanation;
}
