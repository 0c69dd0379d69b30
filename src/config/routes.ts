/** What is right or wrong about a route in the light of the rest of the file. */
import { z } from 'zod';
import type { AdapterType } from '../adapter.ts';
import type { Problem } from './diagnostic.ts';
import { checkExpression, checkName } from './expressions.ts';
import { problemsOf } from './issues.ts';
import { keysAt } from './keys.ts';
import { didYouMean } from './nearest.ts';
import { type References, valueAt } from './references.ts';
import type { Path, Tree } from './tree.ts';

interface Site {
  readonly tree: Tree;
  readonly references: References;
  readonly adapters: readonly AdapterType[];
}

/** What a route's `to` says, once its broker is known. */
export interface Target {
  readonly destination: string | undefined;
  readonly options: unknown;
}

export interface CheckedRoute {
  readonly target: Target | undefined;
  readonly problems: readonly Problem[];
}

/** `path` is the route's. What is of the wrong shape has been reported, and is passed over here. */
export function checkRoute(path: Path, site: Site): CheckedRoute {
  const { tree } = site;
  const text = (key: string) => {
    const value = valueAt(tree.root, [...path, key]);
    return typeof value === 'string' ? value : undefined;
  };
  const when = text('when');
  const key = text('key');
  const { target, problems } = checkTarget([...path, 'to'], site);
  return {
    target,
    problems: [
      ...(when === undefined ? [] : checkExpression(tree, [...path, 'when'], when, 'bool')),
      ...(key === undefined ? [] : checkExpression(tree, [...path, 'key'], key)),
      ...problems,
    ],
  };
}

function checkTarget(path: Path, site: Site): CheckedRoute {
  const { tree, adapters } = site;
  const broker = valueAt(tree.root, [...path, 'broker']);
  const brokers = valueAt(tree.root, ['brokers']);
  if (typeof broker !== 'string' || typeof brokers !== 'object' || brokers === null) return NOTHING;
  if (!Object.hasOwn(brokers, broker)) {
    const names = Object.keys(brokers);
    const range = tree.rangeOf([...path, 'broker']);
    const expected = names.length > 0 ? `one of ${names.join(', ')}` : undefined;
    const message = `There is no broker "${broker}".`;
    return {
      target: undefined,
      problems: [{ code: 'KF301', range, message, expected, hint: didYouMean(broker, names) }],
    };
  }
  const entry = valueAt(brokers, [broker]);
  const type = adapters.find(({ name }) => typeof entry === 'object' && entry !== null && name in entry);
  return type === undefined ? NOTHING : checkTo(path, type, site);
}

const NOTHING: CheckedRoute = { target: undefined, problems: [] };

/** `to` holds the broker, the destination under the name that the broker has for it, and the adapter's own options. */
function checkTo(path: Path, type: AdapterType, { tree, references }: Site): CheckedRoute {
  const { field } = type.destination;
  const own = new Set(['broker', field]);
  const rest = z.preprocess(
    (to) => (isMap(to) ? Object.fromEntries(Object.entries(to).filter(([key]) => !own.has(key))) : to),
    type.routeOptions,
  );
  const options = references.parse(rest, path);
  const name = field === undefined ? undefined : references.parse(z.string().min(1), [...path, field]);
  const known = (at: Path) => {
    const keys = keysAt(type.routeOptions, at.slice(path.length));
    return at.length > path.length ? keys : ['broker', ...(field === undefined ? [] : [field]), ...keys];
  };
  const issues = [...options.issues, ...(name?.issues ?? [])];
  const found = problemsOf(issues, { tree, references, keysAt: known });
  const other = found.some(isOtherField);
  const problems = found
    .filter(({ code, message }) => !(other && code === 'KF202' && message.endsWith(`"${field}".`)))
    .map((problem) => (isOtherField(problem) ? { ...problem, hint: fieldHint(field, type.name) } : problem));
  if (field !== undefined && name?.data !== undefined) {
    problems.push(...checkName(tree, [...path, field], name.data, type.destination));
  }
  return { target: { destination: name?.data, options: options.data }, problems };
}

/** A topic where the broker has subjects, or the other way round. */
function isOtherField({ code, message }: Problem): boolean {
  return code === 'KF201' && /"(topic|subject)"/.test(message);
}

function fieldHint(field: string | undefined, broker: string): string {
  return field === undefined ? `${broker} has only one destination` : `in ${broker} it is a "${field}"`;
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
