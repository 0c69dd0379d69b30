/**
 * `npm run sabotage`: puts defects into a copy of the code, one at a time, and says which row of the tests noticed each.
 * `--only` takes a part of a defect's name, its file, or its row; `--write` keeps the result in RELIABILITY.md.
 * Ends with 1 when one is not noticed, or proves nothing.
 */
import { parseArgs } from 'node:util';
import { complaint, type Noticed, notice } from './copy.ts';
import { type Defect, nameOf, type Row } from './defect.ts';
import { DEFECTS } from './defects/all.ts';
import { write } from './table.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

/** What each row says of the code without a defect. */
const complaints = new Map<string, Promise<string | undefined>>();

async function main(): Promise<number> {
  const { only } = options;
  const defects = DEFECTS.filter(
    ({ name, file, row }) => only.length === 0 || only.some((one) => `${file} ${name} ${nameOf(row)}`.includes(one)),
  );
  if (options.list) {
    for (const { name, row } of defects) process.stdout.write(`${name}  (${nameOf(row)})\n`);
    return 0;
  }
  process.once('SIGINT', () => process.exit(130));
  const found = new Map<Defect, Noticed>();
  for (const defect of defects) {
    const noticed = await judge(defect);
    found.set(defect, noticed);
    process.stdout.write(`${sentenceOf(defect, noticed)}\n`);
    if (options.write) await write(DEFECTS, found);
  }
  const caught = [...found.values()].filter(({ kind }) => kind === 'caught').length;
  process.stdout.write(`${caught} of ${defects.length} caught\n`);
  return caught === defects.length ? 0 : 1;
}

/** A row that fails anyhow has noticed nothing. */
async function judge(defect: Defect): Promise<Noticed> {
  const noticed = await notice(defect);
  if (noticed.kind !== 'caught') return noticed;
  const why = await complaintOf(defect.row);
  return why === undefined ? noticed : { kind: 'void', why: `without it the row fails as well: ${why}` };
}

function complaintOf(row: Row): Promise<string | undefined> {
  const known = complaints.get(nameOf(row)) ?? complaint(row);
  complaints.set(nameOf(row), known);
  return known;
}

function sentenceOf({ name, row }: Defect, noticed: Noticed): string {
  switch (noticed.kind) {
    case 'caught':
      return `✓ ${name}\n    ${nameOf(row)}: ${noticed.by}`;
    case 'missed':
      return `✗ ${name}\n    NOT NOTICED by ${nameOf(row)}`;
    case 'void':
      return `✗ ${name}\n    proves nothing: ${noticed.why}`;
  }
}

process.exitCode = await main();
