/** One row for each fault and broker, as text for a terminal and as a table for RELIABILITY.md. */

import type { BrokerName } from './brokers.ts';
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
  /** What else was found out. */
  readonly note: string;
}

export function rowsOf(fault: string, history: History, notes: ReadonlyMap<BrokerName, string>): Row[] {
  const { recoveryMs, kills, scrapes } = history;
  const recovery = recoveryMs === undefined ? 'never' : (recoveryMs / 1_000).toFixed(1);
  const MiB = Math.round(Math.max(0, ...scrapes.map(({ rssMiB }) => rssMiB)));
  return history.routes.map((route) => {
    const { of, counts } = classify(history, route);
    const { delivered, dead, filtered, expired, unrecoverable, missing } = counts;
    return {
      ...{ fault, broker: route.broker, revisions: of.size, delivered, dead, filtered, expired, unrecoverable },
      ...{ lost: counts['lost by broker'], missing, repeats: repeatsIn(route.seen), kills, recovery, MiB },
      note: notes.get(route.broker) ?? '',
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
  'note',
] as const satisfies readonly (keyof Row)[];

function isText(column: number): boolean {
  return column < 2 || column === HEADS.length - 1;
}

export function textOf(rows: readonly Row[]): string {
  const cells = [HEADS, ...rows.map((row) => HEADS.map((head) => String(row[head])))];
  const widths = HEADS.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row.map((cell, column) =>
        isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      ),
    )
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}

export function markdownOf(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = HEADS.map((_, column) => (isText(column) ? '---' : '---:'));
  return [line(HEADS), line(rule), ...rows.map((row) => line(HEADS.map((head) => String(row[head]))))].join('\n');
}
