/** The house rules of CONTRIBUTING.md that neither the compiler nor the linter knows. Each offence is a file and a line. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FAILPOINTS } from '../src/failpoint.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const text = /\.(ts|mts|json|ya?ml|md|sh|go|mod|java|xml)$|(^|\/)(Dockerfile|run)$/;
const ignored = /(^|\/)(node_modules|dist|\.git|\.cache|package-lock\.json|go\.sum)(\/|$)/;

interface Line {
  readonly path: string;
  readonly at: string;
  readonly text: string;
}

const everything = filesUnder('.').filter((path) => text.test(path));
const code = everything.filter((path) => /^(src|adapters)\/.*\.ts$/.test(path));
const tests = everything.filter((path) => /^test\/.*\.ts$/.test(path));

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .map((entry) => ({ entry, path: normalize(join(folder, entry.name)) }))
    .filter(({ path }) => !ignored.test(path))
    .flatMap(({ entry, path }) => (entry.isDirectory() ? filesUnder(path) : [path]));
}

function linesOf(paths: readonly string[]): Line[] {
  return paths.flatMap((path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .map((line, index) => ({ path, at: `${path}:${index + 1}`, text: line })),
  );
}

const comment = /^\s*(\/?\*|\/\/).*|\s\/\/\s.*|\/\*.*?\*\//g;

/** Every line of `paths` that holds `pattern`, for a rule that allows none. */
function offences(paths: readonly string[], pattern: RegExp, unless?: RegExp): string[] {
  return linesOf(paths)
    .filter((line) => pattern.test(unless === undefined ? line.text : line.text.replace(unless, '')))
    .map((line) => `${line.at}: ${line.text.trim()}`);
}

interface Import {
  readonly from: string;
  readonly at: string;
  /** A path in this repository, or a package. */
  readonly to: string;
}

/** Static, re-exported and dynamic imports, also those that the formatter has spread over several lines. */
function importsOf(paths: readonly string[]): Import[] {
  return linesOf(paths).flatMap(({ path, at, text: line }) =>
    [...line.matchAll(/(?:\bfrom|^import|\bimport\(|\brequire\()\s*'([^']+)'/g)].map(([, target = '']) => ({
      from: path,
      at,
      to: target.startsWith('.') ? normalize(join(dirname(path), target)) : target,
    })),
  );
}

/** Small things that stand on nothing; every part of the core may import them. */
const GROUND = ['src/choice.ts', 'src/clock.ts', 'src/failpoint.ts', 'src/secret.ts'];

/** What each part may import besides itself, the ground and packages. A name with a slash at its end is a folder's. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/envelope/': ['src/journal/record.ts'],
  'src/adapter.ts': ['src/envelope/'],
  'src/journal/': ['src/envelope/', 'src/adapter.ts'],
  'src/routing/': ['src/envelope/', 'src/adapter.ts', 'src/journal/'],
  'src/delivery/': ['src/envelope/', 'src/adapter.ts', 'src/journal/', 'src/routing/'],
  'src/source/': ['src/envelope/', 'src/journal/'],
  'src/observe/': ['src/envelope/', 'src/adapter.ts', 'src/journal/', 'src/delivery/', 'src/source/'],
  'src/control/': ['src/envelope/', 'src/adapter.ts', 'src/journal/', 'src/routing/', 'src/delivery/', 'src/source/'],
  'src/config/': ['src/adapter.ts', 'src/journal/', 'src/routing/', 'src/source/'],
  'src/simulator/': [],
  'src/daemon.ts': [
    'src/envelope/',
    'src/adapter.ts',
    'src/journal/',
    'src/routing/',
    'src/delivery/',
    'src/source/',
    'src/observe/',
    'src/control/',
    'src/config/',
  ],
  // The demo counts with a subscriber of its own.
  'src/cli/': ['src/', 'adapters/registry.ts', 'adapters/mqtt-subscriber.ts'],
  'adapters/': ['src/adapter.ts'],
};

function partOf(path: string): string | undefined {
  return [...GROUND, ...Object.keys(MAY_IMPORT)].find(
    (part) => path === part || (part.endsWith('/') && path.startsWith(part)),
  );
}

test('imports go one way, from the command line down to the envelope and the port', () => {
  const wrong = importsOf(code).filter(({ from, to }) => {
    const part = partOf(from);
    if (part === undefined) return true;
    if (!/^(src|adapters)\//.test(to)) return false;
    const ground = from.startsWith('src/') ? GROUND : [];
    return ![part, ...ground, ...(MAY_IMPORT[part] ?? [])].some((one) =>
      one.endsWith('/') ? to.startsWith(one) : to === one,
    );
  });
  expect(wrong.map(({ at, from, to }) => `${at}: ${partOf(from) ?? from} may not import ${to}`)).toEqual([]);
});

/** The SDK of each broker, by the beginning of the name of the files that may import it. */
const SDKS: Readonly<Record<string, RegExp>> = {
  kafka: /^kafkajs$/,
  mqtt: /^mqtt$/,
  embedded: /^(aedes|mqtt)$/,
  nats: /^@nats-io\//,
  pubsub: /^(@google-cloud\/pubsub|google-auth-library|google-gax)$/,
};
const ANY_SDK = new RegExp(
  Object.values(SDKS)
    .map((sdk) => sdk.source)
    .join('|'),
);

test('the core imports no SDK of a broker', () => {
  const wrong = importsOf(code.filter((path) => path.startsWith('src/'))).filter(({ to }) => ANY_SDK.test(to));
  expect(wrong.map(({ at, to }) => `${at}: ${to}`)).toEqual([]);
});

test('an adapter imports nothing but the port, zod, Node and its own SDK', () => {
  const wrong = importsOf(code.filter((path) => path.startsWith('adapters/'))).filter(({ from, to }) => {
    if (to === 'src/adapter.ts' || to === 'zod' || /^(node:|adapters\/)/.test(to)) return false;
    const family = Object.keys(SDKS).find((name) => from.startsWith(`adapters/${name}`));
    return family === undefined || !SDKS[family]?.test(to);
  });
  expect(wrong.map(({ at, to }) => `${at}: ${to}`)).toEqual([]);
});

test('no file has more than 300 lines', () => {
  const lengths = [...code, ...tests].map((path) => ({ path, lines: linesOf([path]).length - 1 }));
  expect(lengths.filter(({ lines }) => lines > 300).map(({ path, lines }) => `${path}:${lines}: too long`)).toEqual([]);
});

test('only the command line writes to the console and ends the process', () => {
  const others = code.filter((path) => !path.startsWith('src/cli/') && path !== 'src/simulator/main.ts');
  expect(offences(others, /\bconsole\.|\bprocess\.exit\b/)).toEqual([]);
});

test('no value escapes its type', () => {
  const anyType = /(:|<|\bas|\bextends|,|\|)\s*any\b(?=[\s,;)>[\]|&=]|$)/;
  expect([
    ...offences([...code, ...tests], anyType, comment),
    ...offences([...code, ...tests], /@ts-(ignore|nocheck)/),
  ]).toEqual([]);
});

test('nothing is left for later in a comment', () => {
  expect(offences(everything, /\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/)).toEqual([]);
});

test('nothing names where or how it was written, or a file that is not here', () => {
  const notOurs = [
    String.raw`\/wor[k]\/`,
    String.raw`\/tmp\/(brie[f]|kbuil[d])`,
    String.raw`\b(DESIG[N]|FACT[S]|MODEL[S]|PEER[S]|EXPERIENC[E])\.md`,
    String.raw`\b(Claud[e]|Anthropi[c]|ChatGP[T]|LL[M]|co-?pilo[t])\b`,
    String.raw`registry\.npmj[s]|repo1?\.mave[n]|proxy\.golan[g]|pypi\.or[g]`,
  ];
  expect(offences(everything, new RegExp(notOurs.join('|'), 'i'))).toEqual([]);
});

test('every dependency is imported by what is shipped, and nothing that is not a dependency', () => {
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const imported = importsOf(code).filter(({ to }) => !/^(src|adapters)\/|^node:/.test(to));
  const packageOf = (target: string) => target.split('/', target.startsWith('@') ? 2 : 1).join('/');
  const unknown = imported.filter(({ to }) => !(packageOf(to) in dependencies)).map(({ at, to }) => `${at}: ${to}`);
  const used = new Set(imported.map(({ to }) => packageOf(to)));
  const unused = Object.keys(dependencies)
    .filter((name) => !used.has(name))
    .map((name) => `package.json: ${name}`);
  expect([...unknown, ...unused]).toEqual([]);
});

test('each failpoint stands in the code once', () => {
  const calls = code.flatMap((path) => [
    ...readFileSync(join(root, path), 'utf8').matchAll(/\bfailpoint\(([^;]*?)\);/g),
  ]);
  const used = calls.flatMap(([, names = '']) => [...names.matchAll(/'([a-z.-]+)'/g)].map(([, name = '']) => name));
  expect(used.toSorted()).toEqual([...FAILPOINTS].toSorted());
});
