/** Whose CPU it was: the samples of a profile, by the part of kube-fanout that they were taken in or under. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
const Profile = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
      children: z.array(z.int()).optional(),
    }),
  ),
  samples: z.array(z.int()),
  /** Microseconds from the sample before. */
  timeDeltas: z.array(z.int()),
});
type Profile = z.output<typeof Profile>;

const STEPS = [
  'read from the API server',
  'parse',
  'normalise',
  'append',
  'commit to the disk',
  'read back',
  'filter and name',
  'encode',
  "the broker's client",
  'settle, with receipts',
  'collect garbage',
  'all else',
] as const;
export type Step = (typeof STEPS)[number];

/** The first that fits the file, and the function in it, decides. */
const PLACES: readonly (readonly [place: RegExp, step: Step])[] = [
  [/src\/source\/watch-lines\.js parse$/, 'parse'],
  [/src\/source\/|undici/, 'read from the API server'],
  [/src\/envelope\//, 'normalise'],
  [/src\/journal\/file\.js #transact/, 'commit to the disk'],
  [/src\/journal\/(read|ring|records\.js storedRow)/, 'read back'],
  [/src\/journal\/.* unpackPage|attributesOf/, 'read back'],
  [/src\/journal\/(settle|routes|parked)/, 'settle, with receipts'],
  [/src\/journal\//, 'append'],
  [/src\/routing\//, 'filter and name'],
  [/adapters\/.*(record|varint|request|packet|event|message|partition|percent)\.js/, 'encode'],
  [/src\/delivery\//, 'settle, with receipts'],
  [/adapters\/|node_modules\//, "the broker's client"],
];

/** The share of each step of all that was not idle, over all threads. */
export async function sharesOf(directory: string): Promise<ReadonlyMap<Step, number>> {
  const spent = new Map<Step, number>(STEPS.map((step) => [step, 0]));
  for (const file of await readdir(directory)) {
    const profile = Profile.parse(JSON.parse(await readFile(join(directory, file), 'utf8')));
    for (const [step, micros] of stepsOf(profile)) spent.set(step, (spent.get(step) ?? 0) + micros);
  }
  const all = [...spent.values()].reduce((sum, micros) => sum + micros, 0);
  return new Map(Array.from(spent, ([step, micros]) => [step, micros / all]));
}

function stepsOf({ nodes, samples, timeDeltas }: Profile): ReadonlyMap<Step, number> {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const known = new Map<number, Step | undefined>();
  const stepOf = (id: number): Step | undefined => {
    if (!known.has(id)) known.set(id, find(id));
    return known.get(id);
  };
  const find = (id: number): Step | undefined => {
    const { functionName, url } = frames.get(id) ?? { functionName: '', url: '' };
    if (functionName === '(idle)') return undefined;
    if (functionName === '(garbage collector)') return 'collect garbage';
    const place = `${url} ${functionName}`;
    const found = url.startsWith('file:') ? PLACES.find(([pattern]) => pattern.test(place))?.[1] : undefined;
    if (found !== undefined) return found;
    const parent = parents.get(id);
    return parent === undefined ? 'all else' : stepOf(parent);
  };
  const spent = new Map<Step, number>();
  for (const [at, id] of samples.entries()) {
    const step = stepOf(id);
    if (step !== undefined) spent.set(step, (spent.get(step) ?? 0) + (timeDeltas[at] ?? 0));
  }
  return spent;
}
