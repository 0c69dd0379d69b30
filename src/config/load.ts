/** From the text of a config file to a config, or to everything that is wrong with it at once. */
import { readFile } from 'node:fs/promises';
import type { AdapterType } from '../adapter.ts';
import { type Config, configOf } from './config.ts';
import { type Diagnostic, diagnose, type Problem } from './diagnostic.ts';
import { problemsOf } from './issues.ts';
import { keysAt } from './keys.ts';
import { References, valueAt } from './references.ts';
import { checkRoute } from './routes.ts';
import { fileSchema } from './schema.ts';
import type { Path, Tree } from './tree.ts';
import { parseYaml, strayDollar } from './yaml.ts';

export interface LoadOptions {
  /** The name of the file, for messages. */
  readonly file: string;
  readonly adapters: readonly AdapterType[];
  /** Where `{ env: NAME }` looks; secrets always look in the process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** A secret that is not there is an error too. A check away from the place where the daemon runs cannot ask for that. */
  readonly needSecrets?: boolean;
}

export type Loaded = { readonly config: Config } | { readonly diagnostics: readonly Diagnostic[] };

export function loadConfig(text: string, options: LoadOptions): Loaded {
  const { file, adapters, env = process.env } = options;
  const refused = (problems: readonly Problem[]): Loaded => {
    return { diagnostics: diagnose({ file, text }, firstAtEachPlace(problems, text)) };
  };
  const { tree, problems: yaml } = parseYaml(text);
  if (tree === undefined) return refused(yaml);

  const misplaced = liftRoutes(tree);
  const references = new References(tree, env);
  const schema = fileSchema(adapters);
  const shape = references.parse(schema, []);
  const shapeProblems = problemsOf(shape.issues, { tree, references, keysAt: (path) => keysAt(schema, path) });
  const list = valueAt(tree.root, ['routes']);
  const paths: Path[] = Array.isArray(list) ? list.map((_, index) => ['routes', index]) : [];
  const routes = paths.map((path) => checkRoute(path, { tree, references, adapters }));
  if (options.needSecrets === true) references.checkSecrets();
  const problems = [
    ...yaml,
    ...misplaced,
    ...shapeProblems,
    ...strayDollars(tree),
    ...sameNames(tree, paths),
    ...routes.flatMap((route) => route.problems),
    ...references.problems,
  ];
  if (problems.length > 0 || shape.data === undefined) return refused(problems);
  const targets = routes.map(({ target }) => target);
  return { config: configOf(shape.data, targets, adapters) };
}

/** A file that cannot be read is a diagnostic too. */
export async function readConfigFile(path: string, options: Omit<LoadOptions, 'file'>): Promise<Loaded> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const problem = { code: 'KF101', range: [0, 0], message: `This file cannot be read: ${why}.` } as const;
    return { diagnostics: diagnose({ file: path, text: '' }, [problem]) };
  }
  return loadConfig(text, { ...options, file: path });
}

/** Routes that were indented under the brokers are checked all the same, for they may hold more mistakes. */
function liftRoutes(tree: Tree): readonly Problem[] {
  const { root } = tree;
  const brokers = valueAt(root, ['brokers']);
  const routes = valueAt(root, ['brokers', 'routes']);
  if (!isRecord(root) || !isRecord(brokers) || !Array.isArray(routes) || 'routes' in root) return [];
  root.routes = routes;
  delete brokers.routes;
  tree.move(['brokers', 'routes'], ['routes']);
  const hint = 'it belongs at the top: look at the indentation';
  return [{ code: 'KF201', range: tree.rangeOfKey(['routes']), message: '"routes" stands among the brokers.', hint }];
}

function strayDollars(tree: Tree, value = tree.root, path: Path = []): readonly Problem[] {
  if (isRecord(value))
    return Object.entries(value).flatMap(([key, child]) => strayDollars(tree, child, [...path, key]));
  if (Array.isArray(value)) return value.flatMap((child, index) => strayDollars(tree, child, [...path, index]));
  const found = typeof value === 'string' ? /\$\{[^}]*\}?/.exec(value) : null;
  if (found === null || typeof value !== 'string') return [];
  return [strayDollar(tree.rangeWithin(path, [found.index, found.index + found[0].length], value))];
}

function sameNames(tree: Tree, routes: readonly Path[]): readonly Problem[] {
  const seen = new Set<unknown>();
  return routes.flatMap((route) => {
    const path = [...route, 'name'];
    const name = valueAt(tree.root, path);
    if (name === undefined || seen.size < seen.add(name).size) return [];
    const message = `There is another route "${String(name)}".`;
    const hint = 'its name is what its progress is kept by';
    return [{ code: 'KF302' as const, range: tree.rangeOf(path), message, hint }];
  });
}

/** One mistake may be noticed twice, and one in the YAML makes a mess of its line. */
function firstAtEachPlace(problems: readonly Problem[], text: string): readonly Problem[] {
  const lineOf = ({ range }: Problem) => text.lastIndexOf('\n', range[0] - 1);
  const isYaml = ({ code }: Problem) => code.startsWith('KF1');
  const brokenLines = new Set(problems.filter(isYaml).map(lineOf));
  const places = new Set<string>();
  return problems.filter((problem) => {
    if (!isYaml(problem) && brokenLines.has(lineOf(problem))) return false;
    const what = problem.code.startsWith('KF4') ? 'KF4' : `${problem.code} ${problem.message}`;
    return places.size < places.add(`${problem.range[0]} ${what}`).size;
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
