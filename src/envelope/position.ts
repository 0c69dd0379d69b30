/**
 * Where an Event stands in its stream. The Kubernetes resourceVersion is the position: nothing is numbered again.
 *
 * Since KEP-5504 the resourceVersions of one resource are comparable: decimal numbers of up to 128 bits, without a
 * leading zero, ordered by length and then by character. They never become a JavaScript number.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A decimal resourceVersion of 1 to 39 digits without a leading zero. */
export type ResourceVersion = Branded<'ResourceVersion'>;

/**
 * A position that sorts as text. For an Event it is its sequence: two digits of length, then the resourceVersion
 * (`41234` is `0541234`). A gap record stands right behind a sequence, marked by a trailing `!`; the gap record that
 * announces a restored history is the first of its epoch, `00!`.
 */
export type Position = Branded<'Position'>;

/** The name of one list-watch: a namespace, or `_all`. */
export type StreamName = Branded<'StreamName'>;

export const ALL_NAMESPACES = '_all' as StreamName;

/** The resourceVersion in `text`, or undefined when it is not one that this daemon can order. */
export function parseResourceVersion(text: unknown): ResourceVersion | undefined {
  return typeof text === 'string' && /^[1-9][0-9]{0,38}$/.test(text) ? (text as ResourceVersion) : undefined;
}

/** Negative, zero or positive, as `a` is older than, the same as, or newer than `b`. */
export function compareResourceVersions(a: ResourceVersion, b: ResourceVersion): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The CloudEvents `sequence` of a revision, which is also its position in the journal. */
export function positionOf(rv: ResourceVersion): Position {
  return `${String(rv.length).padStart(2, '0')}${rv}` as Position;
}

/** The resourceVersion that stands at a position, or right before it; undefined at the beginning of an epoch. */
export function resourceVersionAt(position: Position): ResourceVersion | undefined {
  return parseResourceVersion(position.slice(2).replace(/[!~]$/, ''));
}

/** The position of a gap record that ends at `rv`; without one, the first position of an epoch. */
export function gapPositionOf(rv: ResourceVersion | undefined): Position {
  return `${rv === undefined ? '00' : positionOf(rv)}!` as Position;
}

/** Where the revision one below would stand, whether or not there is one; before the first of all, the origin's. */
export function positionBefore(position: Position): Position {
  const rv = parseResourceVersion(`${BigInt(resourceVersionAt(position) ?? 0) - 1n}`);
  return rv === undefined ? ORIGIN.position : positionOf(rv);
}

/** The position in `text`, or undefined when it is none: of a revision, or of a gap record. */
export function parsePosition(text: unknown): Position | undefined {
  if (typeof text !== 'string') return undefined;
  const [, length = '', rv = ''] = /^([0-9]{2})([0-9]*)!?$/.exec(text) ?? [];
  const fits = rv === '' ? text === '00!' : parseResourceVersion(rv) !== undefined && Number(length) === rv.length;
  return fits ? (text as Position) : undefined;
}

/** A point in a stream: everything at or below it, in its epoch and all earlier ones. */
export interface Cursor {
  readonly epoch: number;
  readonly position: Position;
}

/** Before the first record of every stream. */
export const ORIGIN: Cursor = { epoch: 0, position: '' as Position };

/** Behind the last one. */
export const END: Cursor = { epoch: Number.POSITIVE_INFINITY, position: '' as Position };

export function compareCursors(a: Cursor, b: Cursor): number {
  return a.epoch - b.epoch || (a.position < b.position ? -1 : a.position > b.position ? 1 : 0);
}
