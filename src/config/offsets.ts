/**
 * Where in the file each character of a YAML text stands. A quoted text has escapes, a folded one loses line breaks, a
 * block loses its indentation; walking value and source side by side finds every character again, whatever the style.
 */
import type { Scalar } from 'yaml';
import type { Range } from './diagnostic.ts';

/** Offsets into the file, one for each character of the node's text and one for its end. */
export function offsetsOf(node: Scalar, value: string, source: string): readonly number[] {
  const [start, end] = node.range ?? [0, 0];
  const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  const block = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  let at = block ? source.indexOf('\n', start) + 1 : start + (quote ? 1 : 0);
  const offsets: number[] = [];
  for (const character of Array.from({ length: value.length }, (_, index) => value.charAt(index))) {
    const place = next(character, at);
    offsets.push(place[0]);
    at = place[1];
  }
  return [...offsets, at];

  function next(character: string, from: number): Range {
    for (let place = from; place < end; place++) {
      const here = source.charAt(place);
      if (node.type === 'QUOTE_DOUBLE' && here === '\\') {
        const escaped = /\\(?:x..|u....|U.{8}|\r?\n[ \t]*|.)/sy;
        escaped.lastIndex = place;
        const length = escaped.exec(source)?.[0].length ?? 1;
        if (source.charAt(place + 1).trim() !== '' || source.charAt(place + 1) === ' ') return [place, place + length];
        place += length - 1;
        continue;
      }
      if (node.type === 'QUOTE_SINGLE' && here === "'") return [place, place + 2];
      if (here === character || (character.trim() === '' && here.trim() === '')) return [place, place + 1];
      if (here.trim() !== '') return [place, place];
    }
    return [Math.min(from, end), Math.min(from, end)];
  }
}
