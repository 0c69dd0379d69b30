/**
 * `{ env: NAME }` and `{ file: PATH }` may stand for any plain value. Only the schema knows where a map of that form is
 * meant as it stands, by a secret: so it is tried as it is, and replaced exactly where the schema wants a plain value.
 */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { Problem } from './diagnostic.ts';
import type { Path, Tree } from './tree.ts';

type At<Issue> = Issue extends unknown ? Omit<Issue, 'path'> & { readonly path: Path } : never;
/** What zod refuses, with its path from the root of the file. */
export type Issue = At<z.core.$ZodIssue>;
export type AnyIssue = z.core.$ZodIssue | Issue;

/** A path never holds a symbol, for nothing in a YAML file is one. */
export function placed(issue: z.core.$ZodIssue, base: Path): Issue {
  return { ...issue, path: [...base, ...issue.path.filter((key) => typeof key !== 'symbol')] };
}

interface Reference {
  readonly kind: 'env' | 'file';
  readonly name: string;
}

export class References {
  readonly problems: Problem[] = [];
  readonly #tree: Tree;
  readonly #env: NodeJS.ProcessEnv;
  /** What was found in place of a value, by its path. */
  readonly #resolved = new Map<string, string>();

  constructor(tree: Tree, env: NodeJS.ProcessEnv) {
    this.#tree = tree;
    this.#env = env;
  }

  /** Parses what stands at `path` in the tree, in which references are replaced. The issues' paths begin at the root. */
  parse<Output>(schema: z.ZodType<Output>, path: Path): { readonly data?: Output; readonly issues: readonly Issue[] } {
    for (;;) {
      const result = schema.safeParse(valueAt(this.#tree.root, path), { reportInput: true });
      if (result.success) return { data: result.data, issues: [] };
      const issues = result.error.issues.map((issue) => placed(issue, path));
      const open = issues.filter((issue) => !this.#resolve(issue));
      if (open.length === issues.length) return { issues: open.filter((issue) => !this.#missing(issue.path)) };
    }
  }

  /** Where the value at `path` came from, if not from the file itself: such a value is never shown. */
  originOf(path: Path): string | undefined {
    return this.#resolved.get(JSON.stringify(path));
  }

  /** Secrets are read at each connect; here it is only seen to that they are there. */
  checkSecrets(value = this.#tree.root, path: Path = []): void {
    const reference = asReference(value);
    if (reference !== undefined) this.#read(reference, path);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, child] of Object.entries(value)) this.checkSecrets(child, [...path, key]);
    }
  }

  #missing(path: Path): boolean {
    return this.#resolved.get(JSON.stringify(path)) === '';
  }

  /** True when there is a value now that was not there before. */
  #resolve(issue: Issue): boolean {
    const { path } = issue;
    const reference = wantsPlainValue(issue) ? asReference(valueAt(this.#tree.root, path)) : undefined;
    if (reference === undefined || this.#missing(path)) return false;
    const text = this.#read(reference, path);
    const origin =
      reference.kind === 'env' ? `the environment variable ${reference.name}` : `the file ${reference.name}`;
    this.#resolved.set(JSON.stringify(path), text === undefined ? '' : origin);
    if (text === undefined) return false;
    const parent = valueAt(this.#tree.root, path.slice(0, -1));
    const last = path.at(-1);
    if (!isContainer(parent) || last === undefined) return false;
    parent[last] = coerce(text, issue);
    return true;
  }

  #read({ kind, name }: Reference, path: Path): string | undefined {
    const range = this.#tree.rangeOf(path);
    if (kind === 'env') {
      const value = this.#env[name];
      const message = `The environment variable ${name} is not set.`;
      if (value === undefined) this.problems.push({ code: 'KF303', range, message });
      return value;
    }
    try {
      return readFileSync(name, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      this.problems.push({ code: 'KF304', range, message: `The file ${name} cannot be read${why}.` });
      return undefined;
    }
  }
}

export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, part) => (isContainer(value) ? value[part] : undefined), root);
}

function isContainer(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}

function asReference(value: unknown): Reference | undefined {
  if (!isContainer(value) || Array.isArray(value)) return undefined;
  const [entry, ...more] = Object.entries(value);
  const [kind, name] = entry ?? [];
  if (more.length > 0 || (kind !== 'env' && kind !== 'file') || typeof name !== 'string') return undefined;
  return { kind, name };
}

const NESTED: ReadonlySet<string> = new Set(['object', 'array', 'record', 'map', 'set', 'never']);

function wantsPlainValue(issue: AnyIssue): boolean {
  if (issue.code === 'invalid_type') return !NESTED.has(issue.expected);
  if (issue.code === 'invalid_union')
    return issue.errors.some((branch) => branch.some((one) => one.path.length === 0 && wantsPlainValue(one)));
  return issue.code === 'invalid_value' || issue.code === 'invalid_format';
}

/** The text as the number or truth value that the schema asked for, where it is one. */
function coerce(text: string, issue: AnyIssue): unknown {
  const expected = issue.code === 'invalid_union' ? issue.errors.flat().map(typeOf) : [typeOf(issue)];
  if (expected.includes('boolean') && /^(true|false)$/.test(text)) return text === 'true';
  if ((expected.includes('number') || expected.includes('int')) && /^-?[0-9]+(\.[0-9]+)?$/.test(text))
    return Number(text);
  return text;
}

function typeOf(issue: AnyIssue): string | undefined {
  return issue.code === 'invalid_type' ? issue.expected : undefined;
}
