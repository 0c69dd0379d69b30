import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { DEFECTS } from './defects/all.ts';

const root = new URL('../../', import.meta.url);

test('each defect still fits the code, and none of them is there by itself', () => {
  const outdated = DEFECTS.filter(({ file, find, put }) => {
    const text = readFileSync(fileURLToPath(new URL(file, root)), 'utf8');
    return text.split(find).length !== 2 || find === put;
  });
  expect(outdated.map(({ name, file }) => `${file}: ${name}`)).toEqual([]);
});
