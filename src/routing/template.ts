/** Names with `{expression}` in them: `k8s/{event.metadata.namespace}/{event.reason}`. */
import type { DestinationRules } from '../adapter.ts';
import { compileExpression, type Expression } from './cel.ts';
import type { View } from './view.ts';

export interface TemplatePart {
  readonly kind: 'literal' | 'expression';
  readonly text: string;
  /** Where `text` begins in the template. */
  readonly start: number;
}

/** A template that cannot be taken apart. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly kind: 'dollar' | 'brace' | 'empty';
  readonly start: number;
  readonly end: number;
  constructor(message: string, at: { kind: TemplateError['kind']; start: number; end: number }) {
    super(message);
    this.kind = at.kind;
    this.start = at.start;
    this.end = at.end;
  }
}

/** Throws TemplateError. A brace cannot stand for itself: no broker's name has a use for one. */
export function parseTemplate(text: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  while (at < text.length) {
    const brace = text.slice(at).search(/[{}]/);
    const end = brace < 0 ? text.length : at + brace;
    if (end > at) parts.push({ kind: 'literal', text: text.slice(at, end), start: at });
    if (end === text.length) break;
    if (text[end] === '}')
      throw new TemplateError('This } closes nothing.', { kind: 'brace', start: end, end: end + 1 });
    const close = closing(text, end + 1);
    if (text[end - 1] === '$') {
      const place = { kind: 'dollar', start: end - 1, end: (close ?? text.length - 1) + 1 } as const;
      throw new TemplateError('A value is put in by braces alone, without a $.', place);
    }
    if (close === undefined) {
      throw new TemplateError('This { is never closed.', { kind: 'brace', start: end, end: end + 1 });
    }
    const expression = text.slice(end + 1, close);
    if (expression.trim() === '') {
      throw new TemplateError('There is no expression in these braces.', { kind: 'empty', start: end, end: close + 1 });
    }
    parts.push({ kind: 'expression', text: expression, start: end + 1 });
    at = close + 1;
  }
  return parts;
}

/** The brace that closes an expression, past those in its texts and map literals. */
function closing(text: string, from: number): number | undefined {
  const token = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{}]/gs;
  token.lastIndex = from;
  let depth = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    if (found[0] === '{') depth++;
    else if (found[0] === '}' && depth-- === 0) return found.index;
  }
  return undefined;
}

export interface Template {
  /** The whole text where it holds no expression. */
  readonly constant: string | undefined;
  /** Throws when an expression fails for this event. */
  render(view: View): string;
}

/** The names that one template made lately. Few Events bring a new one, and escaping and checking cost more than a look. */
const CACHED_NAMES = 1_000;
const CACHED_LENGTH = 500;

/** Throws TemplateError and ExpressionError. The rules make every value safe, so that no event can add a level. */
export function compileTemplate(text: string, rules: Pick<DestinationRules, 'escape'>): Template {
  const parts = parseTemplate(text).map((part) => (part.kind === 'literal' ? part.text : compileExpression(part.text)));
  const expressions = parts.filter((part): part is Expression => typeof part !== 'string');
  if (expressions.length === 0) return { constant: text, render: () => text };
  const cache = new Map<string, string>();
  return {
    constant: undefined,
    render(view) {
      const values = expressions.map((expression) => String(expression.evaluate(view)));
      const key = values.join('\0');
      const known = cache.get(key);
      if (known !== undefined) return known;
      let next = 0;
      const name = parts.map((part) => (typeof part === 'string' ? part : rules.escape(values[next++] ?? ''))).join('');
      // Values that hold the separator could share a key and not a name: those are not worth keeping.
      if (key.length > CACHED_LENGTH || key.split('\0').length !== values.length) return name;
      if (cache.size >= CACHED_NAMES) cache.clear();
      cache.set(key, name);
      return name;
    },
  };
}
