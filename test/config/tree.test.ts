import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Document, type Scalar } from 'yaml';
import { valueAt } from '../../src/config/references.ts';
import { parseYaml } from '../../src/config/yaml.ts';

const STYLES = ['PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'] as const;
const EXPRESSION = 'event.type == "Warning" && event.note.contains("it\'s \\\\ all") || key == "é😀"';

/** A file with one text in it, as the YAML library writes it in a style. */
function fileWith(text: string, style: Scalar.Type): string {
  const document = new Document({ routes: [{ when: text }] });
  const node = document.getIn(['routes', 0, 'when'], true) as Scalar;
  node.type = style;
  return document.toString({ lineWidth: 40 });
}

const path = ['routes', 0, 'when'];

describe('a part of a text', () => {
  it.each(STYLES)('is found again in the file, whatever the style: %s', (style) => {
    const file = fileWith(EXPRESSION, style);
    const { tree } = parseYaml(file);
    for (const word of ['event.type', '"Warning"', 'event.note', 'contains', 'key', 'all']) {
      const at = EXPRESSION.indexOf(word);
      const range = tree?.rangeWithin(path, [at, at + word.length], EXPRESSION);
      const written = style === 'QUOTE_DOUBLE' ? JSON.stringify(word).slice(1, -1) : word;
      expect(range && file.slice(range[0], range[1])).toBe(written);
    }
  });

  it('is found for any text', () => {
    const words = fc.array(fc.stringMatching(/^[a-z"'\\!#:{}|]{1,6}$/), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(words, fc.constantFrom(...STYLES), fc.constantFrom(' ', '\n'), (parts, style, space) => {
        const marked = [...parts, 'HERE', ...parts].join(space);
        const file = fileWith(marked, style);
        const { tree } = parseYaml(file);
        // The library writes a few texts so that they read as something else.
        fc.pre(tree !== undefined && valueAt(tree.root, path) === marked);
        const at = marked.indexOf('HERE');
        const range = tree?.rangeWithin(path, [at, at + 4], marked);
        expect(range && file.slice(range[0], range[1])).toBe('HERE');
      }),
    );
  });
});
