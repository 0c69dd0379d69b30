import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FAULTS } from '../faults/families/all.ts';
import type { Row } from './defect.ts';
import { DEFECTS } from './defects/all.ts';

const root = new URL('../../', import.meta.url);

test('each defect still fits the code, and none of them is there by itself', () => {
  const outdated = DEFECTS.filter(({ file, find, put }) => {
    const text = readFileSync(fileURLToPath(new URL(file, root)), 'utf8');
    return text.split(find).length !== 2 || find === put;
  });
  expect(outdated.map(({ name, file }) => `${file}: ${name}`)).toEqual([]);
});

test('there are forty defects at least, each with a name of its own and a row that exists', () => {
  expect(new Set(DEFECTS.map(({ name }) => name)).size).toBe(DEFECTS.length);
  expect(DEFECTS.length).toBeGreaterThanOrEqual(40);
  expect(DEFECTS.filter(({ row }) => !exists(row)).map(({ name }) => name)).toEqual([]);
});

function exists(row: Row): boolean {
  if (row.kind === 'fault') return FAULTS.some(({ name }) => name.startsWith(row.fault));
  return existsSync(fileURLToPath(new URL(row.test, root)));
}
