import { readFile } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import type { Addresses, BackendName } from './backend.ts';
import { dockerIsLikely } from './containers.ts';
import type { Source } from './source.ts';
import { SOURCES } from './sources.ts';

/** Starts what the run's test files name, all at once, and says of each where it comes from. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scope = new AsyncDisposableStack();
  try {
    const names = await named(project);
    const results = await Promise.allSettled(names.map((name) => provide(project, name, scope)));
    const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
  } catch (error) {
    await scope.disposeAsync();
    throw error;
  }
  return () => scope.disposeAsync();
}

/** The backends that the files of this run ask for. */
async function named(project: TestProject): Promise<readonly BackendName[]> {
  // The names given on the command line. Without this internal field all files are read, and more may be started.
  const patterns: unknown = Reflect.get(project.vitest, 'filenamePattern');
  const filters = Array.isArray(patterns) ? patterns.map(String) : [];
  const { testFiles } = await project.globTestFiles(filters);
  const texts = await Promise.all(testFiles.map((file) => readFile(file, 'utf8')));
  const names: BackendName[] = ['kafka', 'mosquitto', 'nats', 'pubsub', 'kube'];
  return names.filter((name) => texts.some((text) => text.includes(`backend('${name}')`)));
}

async function provide<Name extends BackendName>(
  project: TestProject,
  name: Name,
  scope: AsyncDisposableStack,
): Promise<void> {
  project.provide(name, await resolve(name, SOURCES[name], scope));
}

/** A variable, a container, a program on this machine, or null: in this order, each step said. */
async function resolve<Name extends BackendName>(
  name: Name,
  source: Source<Addresses[Name]>,
  scope: AsyncDisposableStack,
): Promise<Addresses[Name] | null> {
  const value = process.env[source.variable];
  if (value !== undefined) {
    const address = await source.fromVariable(value);
    say(name, `given by ${source.variable}, ${source.describe(address)}`);
    return address;
  }
  if (dockerIsLikely()) {
    try {
      const started = scope.use(await source.startContainer());
      say(name, `container, ${source.describe(started.address)}`);
      return started.address;
    } catch (error) {
      say(name, `no container (${error instanceof Error ? error.message : error}), so a program is tried`);
    }
  }
  const lacking = await source.missing();
  if (lacking.length === 0) {
    const started = scope.use(await source.startProgram());
    say(name, `program on this machine, ${source.describe(started.address)}`);
    return started.address;
  }
  const none = `no ${source.variable}, no Docker, and not installed: ${lacking.join(', ')}`;
  if (process.env.REQUIRE_BACKENDS === '1') throw new Error(`${name}: ${none}; REQUIRE_BACKENDS=1 demands it.`);
  say(name, `NONE (${none}). ITS TESTS ARE SKIPPED.`);
  return null;
}

function say(name: BackendName, what: string): void {
  process.stdout.write(`${name}: ${what}\n`);
}
