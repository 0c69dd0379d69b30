import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineSplitter } from '../../src/source/lines.ts';

function textsOf(splitter: LineSplitter, chunks: readonly Uint8Array[]): string[] {
  return chunks.flatMap((chunk) => splitter.push(chunk)).map((line) => Buffer.from(line).toString());
}

/** `bytes` cut at the given places, wherever they fall. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const line = fc.string({ unit: fc.constantFrom('a', 'é', '\u{1F600}', '"', '\r', ' ') });

it('gives the same lines however the bytes are cut, inside a character too', () => {
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, places) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      const splitter = new LineSplitter();
      expect(textsOf(splitter, cut(bytes, places))).toEqual(lines.filter((each) => each !== ''));
      expect(splitter.unfinished).toBe(false);
    }),
  );
});

it('throws away a line over the limit however it is cut, counts it, and goes on with the next', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.array(fc.nat()), (lengths, places) => {
      const lines = lengths.map((length) => 'x'.repeat(length));
      const splitter = new LineSplitter(10);
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      expect(textsOf(splitter, cut(bytes, places))).toEqual(lines.filter(({ length }) => length > 0 && length <= 10));
      expect(splitter.oversize).toBe(lines.filter(({ length }) => length > 10).length);
    }),
  );
});

it('says that the bytes end within a line', () => {
  const splitter = new LineSplitter(10);
  expect(textsOf(splitter, [Buffer.from('one\ntw')])).toEqual(['one']);
  expect(splitter.unfinished).toBe(true);
  expect(textsOf(splitter, [Buffer.from('o\n')])).toEqual(['two']);
  expect(splitter.unfinished).toBe(false);
  splitter.push(Buffer.from('more than ten bytes'));
  expect(splitter.unfinished).toBe(true);
});

it('does not copy lines that lie in one chunk', () => {
  const chunk = Buffer.from('one\ntwo\n');
  for (const each of new LineSplitter().push(chunk)) expect(each.buffer).toBe(chunk.buffer);
});
