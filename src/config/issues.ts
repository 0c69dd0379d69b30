/** What zod refuses, in our words and at its place. */
import { PLAIN_SECRET } from '../secret.ts';
import type { Code, Problem } from './diagnostic.ts';
import { didYouMean, nearest } from './nearest.ts';
import { type AnyIssue, type Issue, placed, type References } from './references.ts';
import type { Path, Tree } from './tree.ts';

export interface Site {
  readonly tree: Tree;
  readonly references: References;
  /** The keys that a map may have. */
  keysAt(path: Path): readonly string[];
}

/** A key that is missing because it is misspelt is one mistake, not two. */
export function problemsOf(issues: readonly Issue[], site: Site): readonly Problem[] {
  const meant = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => [...issue.path, nearest(key, site.keysAt(issue.path)) ?? key].join('\n'))
      : [],
  );
  const missed = (issue: Issue) =>
    'input' in issue && issue.input === undefined && meant.includes(issue.path.join('\n'));
  return issues.filter((issue) => !missed(issue)).flatMap((issue) => problemOf(issue, site));
}

function problemOf(issue: Issue, site: Site): readonly Problem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...issue.path, key], site));
  if (issue.code === 'invalid_union' && isMap(issue.input)) {
    const inner = issue.errors.find(
      (branch) => !branch.some((one) => one.code === 'invalid_type' && one.path.length === 0),
    );
    if (inner !== undefined) {
      return inner.flatMap((one) => problemOf(placed(one, issue.path), site));
    }
  }
  return [single(issue, site)];
}

function single(issue: Issue, { tree, references }: Site): Problem {
  const { path } = issue;
  const name = nameOf(path);
  const expected = expectationOf(issue);
  if (issue.message === PLAIN_SECRET) {
    const range = tree.rangeOf(path);
    return {
      code: 'KF206',
      range,
      hide: [range],
      message: `${name} is a secret, and stands here in plain text.`,
      expected,
    };
  }
  if (issue.code === 'custom') return custom(issue, tree);
  if (issue.code === 'invalid_key') {
    const why = issue.issues[0];
    return {
      code: 'KF204',
      range: tree.rangeOfKey(path),
      message: `"${name}" cannot be a name.`,
      expected: why === undefined ? undefined : expectationOf(why),
    };
  }
  if (issue.code === 'invalid_type' && issue.expected === 'never') {
    return { code: 'KF207', range: tree.rangeOfKey(path), message: issue.message };
  }
  if (issue.input === undefined) return missing(path, expected, tree);
  const origin = references.originOf(path);
  const found = origin === undefined ? describe(issue.input) : `what is in ${origin}`;
  const type = issue.code === 'invalid_type' || issue.code === 'invalid_union';
  const at = { range: tree.rangeOf(path), found, expected };
  if (type && isBraces(issue.input)) {
    return {
      ...at,
      code: 'KF105',
      message: `YAML takes the braces in ${name} for a map.`,
      hint: 'put the whole text in quotes',
    };
  }
  if (issue.input === null) return { ...at, code: 'KF203', message: `${name} is empty.`, found: undefined };
  const near = issue.code === 'invalid_value' ? didYouMean(String(issue.input), issue.values.map(String)) : undefined;
  const quotes = issue.code === 'invalid_type' ? hintOnQuotes(expected, issue.input) : undefined;
  return { ...at, code: type ? 'KF203' : 'KF204', message: `${name} has a wrong value.`, hint: near ?? quotes };
}

function hintOnQuotes(expected: string, found: unknown): string | undefined {
  if (expected === TYPES.string && ['number', 'boolean'].includes(typeof found)) return 'put it in quotes';
  const plain = expected === TYPES.boolean ? /^(true|false)$/ : /^[0-9.]+$/;
  const wanted = [TYPES.number, TYPES.int, TYPES.boolean].includes(expected);
  return wanted && typeof found === 'string' && plain.test(found) ? 'remove the quotes' : undefined;
}

function custom(issue: Issue, tree: Tree): Problem {
  const params = issue.code === 'custom' ? issue.params : undefined;
  const name = nameOf(issue.path);
  if (Array.isArray(params?.names) && Array.isArray(params.set)) {
    const found = params.set.length === 0 ? 'none of them' : params.set.join(' and ');
    const expected = `exactly one of ${params.names.join(', ')}`;
    return { code: 'KF205', range: tree.rangeOfKey(issue.path), message: `${name} is a choice.`, found, expected };
  }
  const code: Code = params?.excludes === true ? 'KF208' : 'KF204';
  return { code, range: tree.rangeOfKey(issue.path), message: `${name}: ${issue.message.replace(/\.?$/, '.')}` };
}

function missing(path: Path, expected: string, tree: Tree): Problem {
  const parent = path.slice(0, -1);
  const where = parent.length === 0 ? 'The file' : nameOf(parent);
  const hint = path.length === 1 && path[0] === 'apiVersion' ? `begin with  apiVersion: ${expected}` : undefined;
  return {
    code: 'KF202',
    range: tree.rangeOfKey(parent),
    message: `${where} needs "${nameOf(path)}".`,
    expected,
    hint,
  };
}

const MAY_HOLD_SECRETS: ReadonlySet<unknown> = new Set(['source', 'brokers']);
const TOP = ['apiVersion', 'cluster', 'source', 'journal', 'brokers', 'routes', 'metrics'];

function unknownKey(path: Path, { tree, keysAt }: Site): Problem {
  const key = nameOf(path);
  const known = keysAt(path.slice(0, -1));
  const misplaced =
    path.length > 1 && TOP.includes(key) ? `"${key}" belongs at the top: look at the indentation` : undefined;
  return {
    code: 'KF201',
    range: tree.rangeOfKey(path),
    hide: MAY_HOLD_SECRETS.has(path[0]) ? tree.textsWithin(path) : [],
    message: `Unknown key "${key}".`,
    expected: known.length > 0 ? `one of ${known.join(', ')}` : 'no keys at all',
    hint: misplaced ?? didYouMean(key, known),
  };
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'a list',
};

/** A schema's own message where it has one; zod's are recognised by how they begin. */
function expectationOf(issue: AnyIssue): string {
  const own = /^(Invalid|Too|Unrecognized)\b/.exec(issue.message) === null;
  if (own) return issue.message === PLAIN_SECRET ? '{ env: NAME } or { file: PATH }' : issue.message;
  if (issue.code === 'invalid_type') return TYPES[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return issue.values.map(String).join(' or ');
  if (issue.code === 'invalid_union') {
    const each = issue.errors.flatMap(([first]) => (first === undefined ? [] : [expectationOf(first)]));
    return [...new Set(each)].join(' or ');
  }
  if (issue.code === 'too_big') return `at most ${issue.maximum}${unit(issue.origin)}`;
  if (issue.code === 'too_small') return `at least ${issue.minimum}${unit(issue.origin)}`;
  return issue.message.replace(/^[^:]*: expected /, '');
}

function unit(origin: string): string {
  return { string: ' characters', array: ' items' }[origin] ?? '';
}

/** `routes[0].to`: where there is no name, its number. */
export function nameOf(path: Path): string {
  const last = path.at(-1);
  return typeof last === 'number' ? `${nameOf(path.slice(0, -1))}[${last}]` : (last ?? 'the file');
}

function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"` : String(value);
}

/** What `{event.reason}` without quotes is to YAML. */
function isBraces(value: unknown): boolean {
  return isMap(value) && Object.values(value).every((one) => one === null) && Object.keys(value).length === 1;
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
