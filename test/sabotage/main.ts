/**
 * `npm run sabotage`: puts defects into a copy of the code, one at a time, and says which row of the tests noticed each.
 * Ends with 1 when one is not noticed, or proves nothing.
 */
import { parseArgs } from 'node:util';
import { type Noticed, notice } from './copy.ts';
import type { Defect, Row } from './defect.ts';
import { DEFECTS } from './defects/all.ts';

const { values: options } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [] }, list: { type: 'boolean', default: false } },
});

async function main(): Promise<number> {
  const { only } = options;
  const defects = DEFECTS.filter(
    ({ name, file }) => only.length === 0 || only.some((one) => `${file} ${name}`.includes(one)),
  );
  if (options.list) {
    for (const { name, row } of defects) process.stdout.write(`${name}  (${nameOf(row)})\n`);
    return 0;
  }
  let caught = 0;
  for (const defect of defects) {
    const noticed = await notice(defect);
    if (noticed.kind === 'caught') caught += 1;
    process.stdout.write(`${sentenceOf(defect, noticed)}\n`);
  }
  process.stdout.write(`${caught} of ${defects.length} caught\n`);
  return caught === defects.length ? 0 : 1;
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

function nameOf(row: Row): string {
  return row.kind === 'fault' ? `fault "${row.fault}"` : row.test;
}

process.exitCode = await main();
