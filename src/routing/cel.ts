/**
 * CEL, behind one file: the library is young, pinned exactly, and known to nobody else.
 *
 * Its `matches` makes a JavaScript regular expression on every call, and a hostile note can keep such a one busy for half
 * a minute. A built-in cannot be replaced, so calls of it are renamed, in a copy of the text and at the places that the
 * syntax tree gives, to a function with a name as long, on RE2, which takes linear time. Patterns must be literals: they
 * are compiled here, once, so that a bad one is an error of the config and not of an event.
 */
import { type ASTNode, Environment, ParseError, TypeError as TypeFault } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { CLASSES, Labels, type View } from './view.ts';
import { TYPES, VOCABULARY } from './vocabulary.ts';

export interface Expression {
  /** dyn: known only when it is evaluated, as that of a label is. */
  readonly type: 'bool' | 'string' | 'int' | 'dyn';
  /** Throws when it fails for this event, by a division by zero for one. */
  evaluate(view: View): Value;
}

type Value = string | bigint | boolean;

export interface Fault {
  readonly kind: 'syntax' | 'unknown-name' | 'type' | 'pattern' | 'has';
  /** Where in the expression's text. */
  readonly start: number;
  readonly end: number;
  /** An unknown name, and what it was looked up in: `event.regarding`, or "" for the top. */
  readonly name?: string;
  readonly within?: string;
}

/** What is wrong with an expression. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly fault: Fault;
  constructor(message: string, fault: Fault) {
    super(message);
    this.fault = fault;
  }
}

/** A part of an expression as the library has read it. */
export type Syntax = ASTNode;

const RENAMED = 'rematch';
const patterns = new Map<string, RE2JS>();
const environment = newEnvironment();

/** Throws ExpressionError. */
export function compileExpression(text: string): Expression {
  const calls: Extract<ASTNode, { op: 'rcall' }>[] = [];
  for (const node of nodes(parse(text).ast)) {
    const called = node.op === 'call' || node.op === 'rcall' ? node.args[0] : undefined;
    if (called === 'has') throw new ExpressionError('There is no has().', { kind: 'has', ...range(node) });
    if (called === RENAMED) throw new ExpressionError(`There is no ${RENAMED}().`, { kind: 'type', ...range(node) });
    if (called === 'matches' && node.op === 'rcall') calls.push(node);
  }
  calls.forEach(compilePattern);
  const program = parse(calls.reduce(rename, text));
  const { valid, type, error } = program.check();
  if (!valid) throw typeFault(error, text);
  if (type !== 'bool' && type !== 'string' && type !== 'int' && type !== 'dyn') {
    const message = `This gives ${type ?? 'nothing'}, and not a text, a number or a truth value.`;
    throw new ExpressionError(message, { kind: 'type', start: 0, end: text.length });
  }
  return { type, evaluate: (view) => plain(program(view)) };
}

function plain(value: unknown): Value {
  if (typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  throw new Error('the value is neither a text nor a number nor a truth value');
}

function newEnvironment(): Environment {
  const made = new Environment().registerType('Labels', { ctor: Labels });
  for (const type of TYPES) made.registerType(type, { ctor: CLASSES[type], fields: { ...VOCABULARY[type] } });
  return made
    .registerVariable('event', 'Event')
    .registerVariable('key', 'string')
    .registerOperator('string in Labels', (name: string, labels: Labels) => labels.has(name))
    .registerFunction(`string.${RENAMED}(string): bool`, (text: string, pattern: string) => {
      const compiled = patterns.get(pattern);
      if (compiled === undefined) throw new Error('a pattern that was not compiled');
      return compiled.test(text);
    });
}

function parse(text: string) {
  try {
    return environment.parse(text);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const { start, end } = error.range ?? { start: 0, end: text.length };
    throw new ExpressionError(sentence(error.summary), { kind: 'syntax', start, end });
  }
}

function typeFault(error: unknown, text: string): ExpressionError {
  const whole = { start: 0, end: text.length };
  if (!(error instanceof TypeFault)) return new ExpressionError('This cannot be checked.', { kind: 'type', ...whole });
  const { node, summary, code } = error;
  const at = error.range ?? whole;
  if (code === 'unknown_variable') {
    const name = text.slice(at.start, at.end);
    return new ExpressionError(`There is no ${name}.`, { kind: 'unknown-name', ...at, name, within: '' });
  }
  if (code === 'no_such_key' && node !== undefined && isNode(node) && node.op === '.') {
    const [from, name] = node.args;
    const within = text.slice(from.start, from.end);
    return new ExpressionError(`There is no ${name} in ${within}.`, { kind: 'unknown-name', ...at, name, within });
  }
  const told = summary
    .replace(/^(no such overload:|found no matching overload for) '?(.*?)'?$/, 'CEL has no $2')
    .replaceAll(RENAMED, 'matches');
  return new ExpressionError(sentence(told), { kind: 'type', ...at });
}

function compilePattern(call: Extract<ASTNode, { op: 'rcall' }>): void {
  const [pattern] = call.args[2];
  if (pattern === undefined) return;
  if (pattern.op !== 'value' || typeof pattern.args !== 'string') {
    const message = 'The pattern of matches() must be a literal text.';
    throw new ExpressionError(message, { kind: 'pattern', ...range(pattern) });
  }
  try {
    patterns.set(pattern.args, RE2JS.compile(pattern.args));
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'unknown';
    throw new ExpressionError(`RE2 does not take this pattern: ${why}.`, { kind: 'pattern', ...range(pattern) });
  }
}

/** Between a receiver and the name of its method stand only a point, closing brackets, space and comments. */
function rename(text: string, call: Extract<ASTNode, { op: 'rcall' }>): string {
  const before = /(?:[\s.)]|\/\/[^\n]*\n)*/y;
  before.lastIndex = call.args[1].end;
  before.exec(text);
  const at = before.lastIndex;
  return `${text.slice(0, at)}${RENAMED}${text.slice(at + RENAMED.length)}`;
}

/** What `text` says, for whoever takes an expression apart. Throws ExpressionError. */
export function syntaxOf(text: string): Syntax {
  return parse(text).ast;
}

/** It and all that it is made of, from the outside in. */
export function* nodes(from: unknown): Generator<ASTNode> {
  if (Array.isArray(from)) for (const one of from) yield* nodes(one);
  else if (isNode(from)) {
    yield from;
    yield* nodes(from.args);
  }
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value && 'start' in value;
}

function range(node: ASTNode): { start: number; end: number } {
  return { start: node.start, end: node.end };
}

const TOKENS: Readonly<Record<string, string>> = {
  RBRACKET: ']',
  RPAREN: ')',
  RBRACE: '}',
  COLON: ':',
  EOF: 'the end',
};

function sentence(summary: string): string {
  const text = summary
    .replace('Unexpected token: EOF', 'The expression ends too early')
    .replace(/\b[A-Z]{3,}\b/g, (token) => TOKENS[token] ?? token.toLowerCase())
    .replace(/\.?$/, '.');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
