/** What came of each defect, as people read it in RELIABILITY.md. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Noticed } from './copy.ts';
import { type Defect, nameOf } from './defect.ts';

const PAGE = new URL('../../RELIABILITY.md', import.meta.url);
const TABLE = /(<!-- sabotage -->\n)([\s\S]*)(<!-- \/sabotage -->)/;
const HEAD = ['| defect | where | noticed by | which says |', '| --- | --- | --- | --- |'];

/** Puts in what was found out; the others keep what is known of them. */
export async function write(defects: readonly Defect[], found: ReadonlyMap<Defect, Noticed>): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const lines = TABLE.exec(page)?.[2]?.split('\n') ?? [];
  const rows = defects.map((defect) => {
    const noticed = found.get(defect);
    if (noticed) return rowOf(defect, resultOf(noticed));
    return lines.find((line) => line.startsWith(`| ${cell(defect.name)} |`)) ?? rowOf(defect, 'not run yet');
  });
  const caught = rows.filter((row) => !/\| (?:not run yet|NOTHING|.*proves nothing.*) \|$/.test(row)).length;
  const text = [`${caught} of ${defects.length} caught.`, '', ...HEAD, ...rows].join('\n');
  await writeFile(
    PAGE,
    page.replace(TABLE, (_, begin, __, end) => `${begin}\n${text}\n\n${end}`),
  );
}

function rowOf({ name, file, row }: Defect, result: string): string {
  return `| ${[name, `\`${file}\``, `\`${nameOf(row)}\``, result].map(cell).join(' | ')} |`;
}

function resultOf(noticed: Noticed): string {
  if (noticed.kind === 'missed') return 'NOTHING';
  return noticed.kind === 'caught' ? noticed.by : `it proves nothing: ${noticed.why}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
