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
  readonly whenLines: readonly number[] | undefined;
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
    target: target && {
      ...target,
      whenLines: when === undefined ? undefined : tree.linesWithin([...path, 'when'], when),
    },
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
  const to = valueAt(tree.root, path);
  const others = FIELDS.filter((name) => name !== field && isMap(to) && name in to);
  const notOptions = ['broker', ...FIELDS];
  const rest = z.preprocess(
    (whole) =>
      isMap(whole) ? Object.fromEntries(Object.entries(whole).filter(([key]) => !notOptions.includes(key))) : whole,
    type.routeOptions,
  );
  const keys = (at: Path) => {
    const options = keysAt(type.routeOptions, at.slice(path.length));
    return at.length > path.length ? options : ['broker', ...(field === undefined ? [] : [field]), ...options];
  };
  const options = references.parse(rest, path);
  const name =
    field === undefined || others.length > 0 ? undefined : references.parse(z.string().min(1), [...path, field]);
  return {
    target: { destination: name?.data, whenLines: undefined, options: options.data },
    problems: [
      ...others.map((other) => otherField([...path, other], type, tree)),
      ...problemsOf([...options.issues, ...(name?.issues ?? [])], { tree, references, keysAt: keys }),
      ...(name?.data === undefined ? [] : checkName(tree, [...path, field ?? ''], name.data, type.destination)),
    ],
  };
}

/** What a destination may be called; each broker knows one of them, or none. */
const FIELDS: readonly string[] = ['topic', 'subject'];

function otherField(path: Path, { name, destination: { field } }: AdapterType, tree: Tree): Problem {
  return {
    code: 'KF201',
    range: tree.rangeOfKey(path),
    message: `Unknown key "${path.at(-1)}".`,
    hint: field === undefined ? `${name} has only one destination` : `in ${name} it is a "${field}"`,
  };
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
