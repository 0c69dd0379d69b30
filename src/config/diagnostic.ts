/** What is wrong with a config file, where, and what to do. */

/** Every code, for ever the same: 1xx YAML, 2xx shape, 3xx references, 4xx expressions and names. docs/config.md lists them. */
export const CODES = {
  KF101: 'The file cannot be read',
  KF102: 'Not YAML',
  KF103: 'A key stands twice',
  KF104: 'Indented by a tab',
  KF105: 'YAML takes a part of the text for its own syntax',
  KF106: 'Not one YAML document',
  KF201: 'Unknown key',
  KF202: 'A key is missing',
  KF203: 'Not the kind of value that is expected',
  KF204: 'A value that is not allowed',
  KF205: 'Not exactly one of a choice',
  KF206: 'A secret in plain text',
  KF207: 'Not there yet',
  KF208: 'Keys that exclude or need each other',
  KF301: 'Unknown broker',
  KF302: 'Two routes of one name',
  KF303: 'An environment variable is not set',
  KF304: 'A file that is referred to cannot be read',
  KF401: 'Not a CEL expression',
  KF402: 'An expression uses a name that does not exist',
  KF403: 'The types in an expression do not fit',
  KF404: 'Not a pattern for matches()',
  KF405: 'has() is not needed',
  KF406: 'A value put in with a $',
  KF407: 'Braces that do not match',
  KF408: 'An empty expression',
  KF409: 'A name that the broker would refuse',
} as const;
export type Code = keyof typeof CODES;

export interface Diagnostic {
  readonly code: Code;
  readonly file: string;
  /** From 1, in UTF-16 units as editors count. */
  readonly line: number;
  readonly column: number;
  /** Behind the last character, on the same line. */
  readonly endColumn: number;
  readonly message: string;
  readonly found?: string | undefined;
  readonly expected?: string | undefined;
  readonly hint?: string | undefined;
  /** The whole line, without secrets. */
  readonly sourceLine: string;
}

/** A diagnostic before it is told which line it is on. */
export interface Problem extends Pick<Diagnostic, 'code' | 'message' | 'found' | 'expected' | 'hint'> {
  /** Offsets into the file. */
  readonly range: Range;
  /** What may be a secret, and is not shown in any line. */
  readonly hide?: readonly Range[];
}

export type Range = readonly [start: number, end: number];

/** In the order of the file. */
export function diagnose(
  { file, text }: { readonly file: string; readonly text: string },
  problems: readonly Problem[],
): readonly Diagnostic[] {
  const shown = concealed(
    text,
    problems.flatMap(({ hide = [] }) => hide),
  );
  const inOrder = problems.toSorted((a, b) => a.range[0] - b.range[0] || a.code.localeCompare(b.code));
  return inOrder.map(({ range: [start, end], hide: _, ...what }) => {
    const from = Math.min(start, text.length);
    const lineStart = text.lastIndexOf('\n', from - 1) + 1;
    const next = text.indexOf('\n', from);
    const lineEnd = next < 0 ? text.length : next;
    const column = from - lineStart + 1;
    return {
      ...what,
      file,
      line: text.slice(0, lineStart).split('\n').length,
      column,
      endColumn: Math.max(column + 1, Math.min(end, lineEnd) - lineStart + 1),
      sourceLine: shown.slice(lineStart, lineEnd).trimEnd(),
    };
  });
}

/** Each hidden character becomes a point, so that columns stay; so do passwords in URLs and what looks like one. */
function concealed(text: string, ranges: readonly Range[]): string {
  const points = (part: string) => part.replace(/[^\n]/g, '·');
  const hidden = ranges.reduce(
    (shown, [start, end]) => shown.slice(0, start) + points(shown.slice(start, end)) + shown.slice(end),
    text,
  );
  return hidden
    .replace(/(?<=:\/\/[^\s/@:]*:)[^\s/@]+(?=@)/g, points)
    .replace(/(?<=(?:pass\w*|pwd|secret|token|credentials?)["']?[ \t]*:[ \t]+)[^\s{](?:[^\n,}]*[^\s,}])?/gi, points);
}
