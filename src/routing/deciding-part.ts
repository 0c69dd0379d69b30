/**
 * Which part of an expression has decided its answer: of `a && b && c` the first that is false, of `!(a || b)` the one that
 * is true, of `a ? b : c` the branch that was taken.
 *
 * An operand counts only by what it gives when it is evaluated alone, and one that fails decides nothing: so does CEL see
 * it, where `false && failure` is false. Where no operand decides alone, as in an `||` that is false, the whole does.
 */
import { compileExpression, type Expression, nodes, type Syntax, syntaxOf } from './cel.ts';
import type { DecidingPart } from './route.ts';
import type { View } from './view.ts';

export type Deciding = Omit<DecidingPart, 'line'> & { readonly start: number };

/** More names than these help nobody. */
const MOST_VALUES = 5;
const MOST_CHARACTERS = 200;
/** Their last argument speaks of names of its own. */
const MACROS: readonly unknown[] = ['all', 'exists', 'exists_one', 'map', 'filter'];

/** `text` has been compiled before. It is taken apart at the first question, and each part compiled once. */
export function decidingPart(text: string): (view: View) => Deciding {
  let whole: Syntax | undefined;
  const compiled = new Map<string, Expression | undefined>();

  const evaluate = (part: string, view: View): string | bigint | boolean | undefined => {
    if (!compiled.has(part))
      compiled.set(
        part,
        orUndefined(() => compileExpression(part)),
      );
    return orUndefined(() => compiled.get(part)?.evaluate(view));
  };

  const decide = (node: Syntax, gives: boolean, view: View): Deciding => {
    const given = (part: Syntax) => evaluate(textOf(part), view);
    const next = deciderWithin(node, gives, given);
    if (next) return decide(next.node, next.gives, view);
    return { part: textOf(node), start: rangeOf(node).start, gives, values: valuesOf(node, given) };
  };

  return (view) => {
    whole ??= syntaxOf(text);
    return decide(whole, evaluate(text, view) === true, view);
  };
}

type Given = (part: Syntax) => string | bigint | boolean | undefined;

/** The operand that decides alone, or undefined when there is none. */
function deciderWithin(node: Syntax, gives: boolean, given: Given) {
  if ((node.op === '&&' && !gives) || (node.op === '||' && gives)) {
    const operand = node.args.find((part) => given(part) === gives);
    return operand && { node: operand, gives };
  }
  if (node.op === '!_') return isJunction(node.args) ? { node: node.args, gives: !gives } : undefined;
  if (node.op !== '?:') return undefined;
  const [condition, yes, no] = node.args;
  const test = given(condition);
  if (typeof test !== 'boolean') return undefined;
  const branch = test ? yes : no;
  return branch.op === 'value' ? { node: condition, gives: test } : { node: branch, gives };
}

function isJunction({ op }: Syntax): boolean {
  return op === '&&' || op === '||' || op === '!_' || op === '?:';
}

/** What the names and fields in the part stand for. */
function valuesOf(node: Syntax, given: Given): Deciding['values'] {
  const values = new Map<string, string | number | boolean>();
  const look = (part: Syntax): void => {
    const value = isField(part) ? given(part) : undefined;
    if (value === undefined) for (const child of childrenOf(part)) look(child);
    else values.set(textOf(part), plain(value));
  };
  look(node);
  return [...values].slice(0, MOST_VALUES).map(([name, value]) => ({ name, value }));
}

function childrenOf(part: Syntax): readonly Syntax[] {
  if (part.op === 'rcall' && MACROS.includes(part.args[0])) return [part.args[1]];
  const children: Syntax[] = [];
  let end = -1;
  // What stands within a child is the child's own.
  for (const node of nodes(part.args)) {
    if (node.start < end) continue;
    children.push(node);
    end = node.end;
  }
  return children;
}

/** `key`, `event.regarding.name`, `event.metadata.labels["app"]`. */
function isField(part: Syntax): boolean {
  if (part.op === 'id') return part.args === 'key' || part.args === 'event';
  if (part.op === '.') return isField(part.args[0]);
  return part.op === '[]' && isField(part.args[0]) && part.args[1].op === 'value';
}

function plain(value: string | bigint | boolean): string | number | boolean {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' ? value.slice(0, MOST_CHARACTERS) : value;
}

function textOf(node: Syntax): string {
  const { start, end } = rangeOf(node);
  return node.input.slice(start, end);
}

/** The library leaves brackets out at the ends of a node: those that the node needs are put back. */
function rangeOf(node: Syntax): { readonly start: number; readonly end: number } {
  const code = node.input.split('');
  for (const { op, start, end } of nodes(syntaxOf(node.input))) if (op === 'value') code.fill('x', start, end);
  const bare = code.join('').replace(/\/\/[^\n]*/g, (comment) => ' '.repeat(comment.length));
  let { start, end } = node;
  let open = 0;
  let missing = 0;
  for (const character of bare.slice(start, end)) {
    if (character === '(') open += 1;
    else if (character === ')' && open > 0) open -= 1;
    else if (character === ')') missing += 1;
  }
  for (; open > 0; open -= 1) end = bare.indexOf(')', end) + 1;
  for (; missing > 0; missing -= 1) start = bare.lastIndexOf('(', start - 1);
  return { start, end };
}

function orUndefined<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
