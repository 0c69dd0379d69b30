/** One row for each fault and broker, as text for a terminal and as a table for RELIABILITY.md. */
import { classify } from './classes.ts';
import type { History } from './history.ts';
import { repeatsIn } from './promises.ts';

export interface Row {
  readonly fault: string;
  readonly broker: string;
  readonly revisions: number;
  readonly delivered: number;
  readonly dead: number;
  readonly filtered: number;
  readonly expired: number;
  readonly unrecoverable: number;
  readonly lost: number;
  readonly missing: number;
  readonly repeats: number;
  readonly kills: number;
  /** From the end of the fault until everything had arrived, in seconds. */
  readonly recovery: string;
  /** Resident memory at its highest. */
  readonly MiB: number;
}

export function rowsOf(fault: string, history: History): Row[] {
  const { recoveryMs, kills, scrapes } = history;
  const recovery = recoveryMs === undefined ? 'never' : (recoveryMs / 1_000).toFixed(1);
  const MiB = Math.round(Math.max(0, ...scrapes.map(({ rssMiB }) => rssMiB)));
  return history.routes.map((route) => {
    const { of, counts } = classify(history, route);
    const { delivered, dead, filtered, expired, unrecoverable, missing } = counts;
    return {
      ...{ fault, broker: route.broker, revisions: of.size, delivered, dead, filtered, expired, unrecoverable },
      ...{ lost: counts['lost by broker'], missing, repeats: repeatsIn(route.seen), kills, recovery, MiB },
    };
  });
}

const HEADS = [
  'fault',
  'broker',
  'revisions',
  'delivered',
  'dead',
  'filtered',
  'expired',
  'unrecoverable',
  'lost',
  'missing',
  'repeats',
  'kills',
  'recovery',
  'MiB',
] as const satisfies readonly (keyof Row)[];

export function textOf(rows: readonly Row[]): string {
  const cells = [HEADS, ...rows.map((row) => HEADS.map((head) => String(row[head])))];
  const widths = HEADS.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))),
    )
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}

export function markdownOf(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = HEADS.map((_, column) => (column < 2 ? '---' : '---:'));
  return [line(HEADS), line(rule), ...rows.map((row) => line(HEADS.map((head) => String(row[head]))))].join('\n');
}
