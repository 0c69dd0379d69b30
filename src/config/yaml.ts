/**
 * The text of a config as a tree. YAML has syntax of its own in characters that CEL uses: `!` begins a tag, ` #` a
 * comment, `: ` a mapping, `{` a map, a leading quote a whole text. It says so in riddles, or, worse, only warns: a
 * negation would turn into "take everything". So each warning is an error, and each of these cases says how to write it.
 */
import { type Document, LineCounter, parseAllDocuments, visit, type YAMLError } from 'yaml';
import type { Problem, Range } from './diagnostic.ts';
import { Tree } from './tree.ts';

/** The tree is missing where the text is too broken for its values to mean anything. */
export function parseYaml(text: string): { readonly tree: Tree | undefined; readonly problems: readonly Problem[] } {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false, logLevel: 'error' });
  const [document, second] = Array.from(documents);
  if (document === undefined || document.contents === null) {
    return broken({ code: 'KF106', range: [0, 0], message: 'The file is empty.', hint: EMPTY_HINT });
  }
  if (second !== undefined) {
    const start = second.range?.[0] ?? text.length;
    return broken({
      code: 'KF106',
      range: [start, start + 3],
      message: 'A config is one document, and this is a second one.',
    });
  }
  const faults = [...document.errors, ...document.warnings];
  const problems = [...faults.map((fault) => explain(fault, text)), ...unknownAliases(document)];
  const readable = faults.every(({ code }) => RECOVERED.has(code)) && unknownAliases(document).length === 0;
  return {
    tree: readable ? new Tree(text, document, lineCounter) : undefined,
    problems: firstOfEachLine(problems, text),
  };
}

const EMPTY_HINT = 'the examples in config/ are a start';
const RECOVERED: ReadonlySet<string> = new Set(['TAG_RESOLVE_FAILED', 'DUPLICATE_KEY']);

function broken(problem: Problem) {
  return { tree: undefined, problems: [problem] };
}

function explain(fault: YAMLError, text: string): Problem {
  const range = [fault.pos[0], Math.max(fault.pos[1], fault.pos[0] + 1)] as const;
  const part = text.slice(range[0], range[1]).split('\n', 1)[0] ?? '';
  const eaten = (message: string): Problem => ({ code: 'KF105', range, message, hint: quoted(range[0], text) });
  switch (fault.code) {
    case 'DUPLICATE_KEY':
      return { code: 'KF103', range, message: 'This key stands twice in its map.', hint: 'remove one of the two' };
    case 'TAB_AS_INDENT':
      return { code: 'KF104', range, message: 'YAML takes no tab as indentation.', hint: 'indent by spaces' };
    case 'TAG_RESOLVE_FAILED':
      return eaten(`YAML takes \`${part}\` for a tag, because it begins with \`!\`.`);
    case 'BLOCK_AS_IMPLICIT_KEY':
      // A second `: ` on the line, behind the one of the key.
      if (/^[^:]*:\s.*:\s/.test(lineAt(range[0], text))) return eaten('YAML takes the `: ` in this text for a map.');
      break;
    case 'BAD_SCALAR_START':
      return eaten(`YAML lets no plain text begin with \`${part.charAt(0)}\`.`);
    case 'UNEXPECTED_TOKEN':
      if (text.slice(range[0] - 1, range[1]) === '${') {
        const found = /\$\{[^}\n]*\}?/.exec(text.slice(range[0] - 1))?.[0] ?? '${';
        return strayDollar([range[0] - 1, range[0] - 1 + found.length]);
      }
      if (part.startsWith('{')) return eaten('YAML takes this brace for the beginning of a map.');
      if (fault.message.includes('at node end')) {
        return eaten('For YAML the text before this is complete, as it began with a quote, a bracket or a brace.');
      }
  }
  return { code: 'KF102', range, message: `This is not YAML: ${fault.message.replace(/\.?$/, '.')}` };
}

/** Other tools put environment variables in like this. Some that handle this file would even do it before we see it. */
export function strayDollar(range: Range): Problem {
  const hint = '{expression} puts in a value of the Event; { env: NAME } stands for a whole text from the environment';
  return { code: 'KF406', range, message: 'Nothing is put in by a $ and braces.', hint };
}

function unknownAliases(document: Document): readonly Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return;
      const [start, end] = alias.range ?? [0, 0];
      const message = `YAML takes \`*${alias.source}\` for an alias, because it begins with \`*\`.`;
      problems.push({ code: 'KF105', range: [start, end], message, hint: QUOTE });
    },
  });
  return problems;
}

const QUOTE = 'put the whole text in quotes, or write it on a line of its own behind `|`';

/** The line with its value in quotes, where it is plain how far the value goes. */
function quoted(at: number, text: string): string {
  const found = /^[\s-]*(?<key>[A-Za-z]+): +(?<value>\S.*?)\s*$/.exec(lineAt(at, text));
  const { key, value } = found?.groups ?? {};
  if (key === undefined || value === undefined || value.startsWith('{ ')) return QUOTE;
  return `write  ${key}: '${value.replaceAll("'", "''")}'`;
}

function lineAt(at: number, text: string): string {
  const end = text.indexOf('\n', at);
  return text.slice(text.lastIndexOf('\n', at - 1) + 1, end < 0 ? text.length : end);
}

/** One slip makes YAML complain about all that follows on its line. */
function firstOfEachLine(problems: readonly Problem[], text: string): readonly Problem[] {
  const lines = new Set<number>();
  return problems
    .toSorted((a, b) => a.range[0] - b.range[0])
    .filter(({ range }) => {
      const line = text.lastIndexOf('\n', range[0] - 1);
      return lines.size < lines.add(line).size;
    });
}
