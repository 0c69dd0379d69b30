import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineSplitter } from '../../src/source/lines.ts';
import { pieces } from './damage.ts';

function textsOf(splitter: LineSplitter, chunks: readonly Uint8Array[]): string[] {
  return chunks.flatMap((chunk) => splitter.push(chunk)).map((line) => Buffer.from(line).toString());
}

const line = fc.string({ unit: fc.constantFrom('a', 'é', '\u{1F600}', '"', '\r', ' ') });

it('gives the same lines however the bytes are cut, inside a character too', () => {
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, places) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      const splitter = new LineSplitter();
      expect(textsOf(splitter, pieces(bytes, places))).toEqual(lines.filter((each) => each !== ''));
      expect(splitter.unfinished).toBe(false);
    }),
  );
});

it('keeps no more of a line than the limit and a chunk', () => {
  const splitter = new LineSplitter(10);
  expect(
    textsOf(
      splitter,
      ['one\n', '2345', '6789', '012'].map((text) => Buffer.from(text)),
    ),
  ).toEqual(['one', '23456789012']);
  expect(splitter.unfinished).toBe(false);
});

it('says that the bytes end within a line', () => {
  const splitter = new LineSplitter(10);
  expect(textsOf(splitter, [Buffer.from('one\ntw')])).toEqual(['one']);
  expect(splitter.unfinished).toBe(true);
  expect(textsOf(splitter, [Buffer.from('o\n')])).toEqual(['two']);
  expect(splitter.unfinished).toBe(false);
});

it('does not copy lines that lie in one chunk', () => {
  const chunk = Buffer.from('one\ntwo\n');
  for (const each of new LineSplitter().push(chunk)) expect(each.buffer).toBe(chunk.buffer);
});
