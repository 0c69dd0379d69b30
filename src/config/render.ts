import { styleText } from 'node:util';
import type { Diagnostic } from './diagnostic.ts';

/** Lines are cut to about this many columns round what is wrong. */
const WIDTH = 100;

/** A diagnostic for a person: where, what, the line with a caret under exactly what is meant, and what to do. */
function renderDiagnostic(diagnostic: Diagnostic, { colour = false } = {}): string {
  const { file, line, column, code, message } = diagnostic;
  const paint = (style: 'bold' | 'red' | 'dim' | 'cyan', text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const gutter = ' '.repeat(String(line).length);
  const { text, from, width } = excerpt(diagnostic);
  const rows = [
    `${paint('bold', `${printable(file)}:${line}:${column}:`)} ${paint('red', code)} ${printable(message)}`,
  ];
  if (text !== '') {
    rows.push(`  ${paint('dim', `${line} |`)} ${text}`);
    rows.push(`  ${paint('dim', `${gutter} |`)} ${' '.repeat(from)}${paint('red', '^'.repeat(width))}`);
  }
  for (const label of ['found', 'expected', 'hint'] as const) {
    const what = diagnostic[label];
    if (what !== undefined) rows.push(`  ${gutter}   ${paint('cyan', `${label}:`)} ${printable(what)}`);
  }
  return rows.join('\n');
}

/** All of them, and how many there are. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  options: { readonly colour?: boolean } = {},
): string {
  const count = diagnostics.length === 1 ? '1 error' : `${diagnostics.length} errors`;
  return [...diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, options)), `${count}`].join('\n\n');
}

function excerpt({ sourceLine, column, endColumn }: Diagnostic): { text: string; from: number; width: number } {
  const start = column - 1;
  const cut = sourceLine.length > WIDTH ? Math.max(0, Math.min(start - 20, sourceLine.length - WIDTH)) : 0;
  const text = printable(sourceLine.slice(cut, cut + WIDTH));
  const more = cut + WIDTH < sourceLine.length ? '…' : '';
  const from = start - cut + (cut > 0 ? 1 : 0);
  return { text: `${cut > 0 ? '…' : ''}${text}${more}`, from, width: Math.max(1, Math.min(endColumn - column, WIDTH)) };
}

/** One column a character, and nothing that a terminal would obey. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}
