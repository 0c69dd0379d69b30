/** A mistake that somebody might make, put into the code on purpose: the suite has to notice. */
export interface Defect {
  /** What the mistake does, as a reviewer would say it. */
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once, and is replaced. */
  readonly find: string;
  readonly put: string;
  /** What should notice it. */
  readonly row: Row;
}

/** A test file, or a fault of `npm run faults` by the beginning of its name. */
export type Row =
  | { readonly kind: 'unit' | 'real'; readonly test: string }
  | { readonly kind: 'fault'; readonly fault: string };

export function nameOf(row: Row): string {
  return row.kind === 'fault' ? `fault "${row.fault}"` : row.test;
}

export function unit(test: string): Row {
  return { kind: 'unit', test };
}

export function real(test: string): Row {
  return { kind: 'real', test };
}

export function fault(name: string): Row {
  return { kind: 'fault', fault: name };
}
