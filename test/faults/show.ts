/** One fault from its stage to its verdict. */
import type { Fault } from './fault.ts';
import { broken } from './promises.ts';
import { Random } from './random.ts';
import { Scene } from './scene.ts';
import { type Row, rowsOf } from './table.ts';
import type { World } from './world.ts';

export interface Verdict {
  readonly fault: string;
  readonly rows: readonly Row[];
  /** Promises that did not hold, or why nothing could be shown. */
  readonly broken: readonly string[];
  /** It came to its end, and was judged. */
  readonly shown: boolean;
  readonly unavailable: string | undefined;
  /** The end of the daemon's own words, where something did not hold. */
  readonly log: string;
  readonly seconds: number;
}

export interface Chance {
  /** The same for every fault, so that one repeats alone as it was among the others. */
  readonly seed: number;
  readonly quick: boolean;
}

type Shown = Omit<Verdict, 'fault' | 'seconds'>;

const NOTHING: Shown = { rows: [], broken: [], shown: false, unavailable: undefined, log: '' };

/**
 * A stage that did not come about on a busy machine says nothing of the promises, so it is set once more; a broken
 * promise is never tried again.
 */
export async function show(world: World, fault: Fault, chance: Chance): Promise<Verdict> {
  const began = Date.now();
  const first = await shown(world, fault, chance);
  const again = !first.shown && first.unavailable === undefined;
  if (again) process.stdout.write(`\n${fault.name}, once more: ${first.broken.join('\n')}\n${first.log}\n`);
  const verdict = again ? await shown(world, fault, chance) : first;
  return { ...verdict, fault: fault.name, seconds: Math.round((Date.now() - began) / 1_000) };
}

async function shown(world: World, fault: Fault, { seed, quick }: Chance): Promise<Shown> {
  const unavailable = await fault.unavailable?.();
  if (unavailable !== undefined) return { ...NOTHING, unavailable };
  let log = '';
  try {
    await using scene = await Scene.open(world, fault, { random: new Random(seed), quick });
    try {
      scene.write();
      await fault.inject(scene);
      await scene.settle();
      const history = await scene.history();
      const found = [...broken(history), ...((await fault.judge?.(scene, history)) ?? [])];
      if (found.length > 0) log = await endOf(scene);
      const rows = rowsOf(fault.name, history, scene.notes);
      return { ...NOTHING, rows, broken: found, shown: true, log };
    } catch (error) {
      log = await endOf(scene);
      throw error;
    }
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...NOTHING, broken: [`it could not be shown: ${what}`], log };
  }
}

async function endOf(scene: Scene): Promise<string> {
  return `the end of the daemon's log:\n${(await scene.log()).slice(-3_000)}`;
}
