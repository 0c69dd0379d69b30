/** Checks CEL expressions and names with expressions in them, and says what to write instead. */
import type { DestinationRules } from '../adapter.ts';
import { compileExpression, ExpressionError, type Fault } from '../routing/cel.ts';
import { parseTemplate, TemplateError } from '../routing/template.ts';
import { OTHER_NAMES, TYPES, type TypeName, VOCABULARY } from '../routing/vocabulary.ts';
import type { Code, Problem, Range } from './diagnostic.ts';
import { nameOf } from './issues.ts';
import { didYouMean } from './nearest.ts';
import type { Path, Tree } from './tree.ts';

const CODE_OF: Readonly<Record<Fault['kind'], Code>> = {
  syntax: 'KF401',
  'unknown-name': 'KF402',
  type: 'KF403',
  pattern: 'KF404',
  has: 'KF405',
};

/** `wanted` is the type that the place needs, if it needs one. What is put in with a $ is told by `strayDollars`. */
export function checkExpression(tree: Tree, path: Path, text: string, wanted?: 'bool'): readonly Problem[] {
  const name = nameOf(path);
  if (text.includes('${')) return [];
  if (text.trim() === '') {
    const hint = wanted === 'bool' ? 'leave it out to take every Event' : 'leave it out for the object key';
    return [{ code: 'KF408', range: tree.rangeOf(path), message: `${name} is empty.`, hint }];
  }
  const problem = faultOf(text, (range) => tree.rangeWithin(path, range, text));
  if (typeof problem === 'object') return [tree.cutByComment(path) ? cut(problem) : problem];
  if (wanted === undefined || problem === wanted) return [];
  const given = problem === 'dyn' ? 'whatever the label holds' : `a ${problem}`;
  const message = `${name} gives ${given}, and not true or false.`;
  return [{ code: 'KF403', range: tree.rangeOf(path), message, hint: 'compare it:  … == "…"' }];
}

function cut(problem: Problem): Problem {
  if (problem.code !== 'KF401') return problem;
  const message = 'YAML takes ` #` and what follows for a comment, and the rest is no expression.';
  return { ...problem, code: 'KF105', message, hint: 'put the whole expression in quotes, or write it behind `|`' };
}

/** The type of an expression, or what is wrong with it. */
function faultOf(text: string, place: (range: Range) => Range): Problem | string {
  try {
    return compileExpression(text).type;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { kind, start, end } = error.fault;
    return { code: CODE_OF[kind], range: place([start, end]), message: error.message, hint: hintFor(error.fault) };
  }
}

function hintFor({ kind, name, within }: Fault): string | undefined {
  if (kind === 'has') return 'every field is there: compare it with "" or 0, or say  "app" in event.metadata.labels';
  if (kind === 'pattern') return 'see https://github.com/google/re2/wiki/Syntax';
  if (kind !== 'unknown-name' || name === undefined || within === undefined) return undefined;
  if (within === '') {
    if (name in VOCABULARY.Event) return `did you mean "event.${name}"?`;
    const other = OTHER_NAMES[name];
    return other === undefined ? didYouMean(name, ['event', 'key']) : `did you mean "event.${other}"?`;
  }
  const fields = VOCABULARY[typeOf(within) ?? 'Event'];
  if (within === 'event') {
    const other = OTHER_NAMES[name];
    if (other !== undefined) return `did you mean "event.${other}"?`;
  }
  return didYouMean(name, Object.keys(fields)) ?? `one of ${Object.keys(fields).join(', ')}`;
}

/** The type of `event.regarding` and the like. */
function typeOf(path: string): TypeName | undefined {
  const [root, ...fields] = path.split('.');
  let type: TypeName | undefined = root === 'event' ? 'Event' : undefined;
  for (const field of fields) {
    const next: string | undefined = type === undefined ? undefined : VOCABULARY[type][field];
    type = TYPES.find((name) => name === next);
  }
  return type;
}

/** Checks a topic or subject: its expressions, and what the broker would say to it. */
export function checkName(tree: Tree, path: Path, text: string, rules: DestinationRules): readonly Problem[] {
  if (text.includes('${')) return [];
  const place = (range: Range) => tree.rangeWithin(path, range, text);
  try {
    const parts = parseTemplate(text);
    const faults = parts
      .filter(({ kind }) => kind === 'expression')
      .map((part) => faultOf(part.text, ([start, end]) => place([part.start + start, part.start + end])));
    const problems = faults.filter((fault) => typeof fault === 'object');
    if (problems.length > 0) return problems;
    // With a harmless value for each expression, what is refused is the text between them.
    const sample = parts.map((part) => (part.kind === 'literal' ? part.text : rules.escape('x'))).join('');
    const refusal = rules.refuse(sample);
    if (refusal === undefined) return [];
    const message = `The broker would refuse this ${nameOf(path)}: ${refusal}.`;
    return [{ code: 'KF409', range: tree.rangeOf(path), message }];
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const code = { dollar: 'KF406', brace: 'KF407', empty: 'KF408' } as const;
    return [{ code: code[error.kind], range: place([error.start, error.end]), message: error.message }];
  }
}
