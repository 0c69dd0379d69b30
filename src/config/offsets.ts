/**
 * Where in the file each character of a YAML text stands. A quoted text has escapes, a folded one loses line breaks, a
 * block loses its indentation; walking value and source side by side finds every character again, whatever the style.
 */
import type { Scalar } from 'yaml';
import type { Range } from './diagnostic.ts';

/** A range for each UTF-16 unit of the node's text, and an empty one for its end. */
export function rangesOf(node: Scalar, value: string, source: string): readonly Range[] {
  const [start, end] = node.range ?? [0, 0];
  const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  const block = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  let at = block ? source.indexOf('\n', start) + 1 : start + (quote ? 1 : 0);
  const ranges: Range[] = [];
  for (let index = 0; index < value.length; index++) {
    const range = find(value.charAt(index), at);
    ranges.push(range);
    at = range[1];
  }
  return [...ranges, [at, at]];

  /** The next place of a character, past what YAML skips: indentation, folded line breaks, continued lines. */
  function find(character: string, from: number): Range {
    for (let place = from; place < end; place++) {
      const here = source.charAt(place);
      if (node.type === 'QUOTE_SINGLE' && here === "'") return [place, place + 2];
      if (node.type === 'QUOTE_DOUBLE' && here === '\\') {
        ESCAPE.lastIndex = place;
        const escaped = ESCAPE.exec(source)?.[0] ?? here;
        if (!/^\\\r?\n/.test(escaped)) return [place, place + escaped.length];
        place += escaped.length - 1;
      } else if (here === character || (isSpace(here) && isSpace(character))) return [place, place + 1];
      else if (!isSpace(here)) break;
    }
    return [Math.min(from, end), Math.min(from, end)];
  }
}

/** YAML 1.2, 5.7; a line break that is escaped takes the next line's indentation along. */
const ESCAPE = /\\(?:x..|u....|U.{8}|\r?\n[ \t]*|.)/sy;

function isSpace(character: string): boolean {
  return character.trim() === '';
}
