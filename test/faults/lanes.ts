/**
 * Faults beside each other, for most of them wait most of the time. Each lane is a process with an API server and
 * brokers of its own: a fault must not find what another one breaks.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Fault } from './fault.ts';
import type { Chance, Verdict } from './show.ts';

const PROGRAM = fileURLToPath(new URL('./lane-process.ts', import.meta.url));

interface Course extends Chance {
  readonly lanes: number;
  /** Hears each verdict when it is there. */
  readonly tell: (verdict: Verdict) => void;
}

/** Those that must not be disturbed come last, and alone. The verdicts are in the order of the faults. */
export async function showAll(faults: readonly Fault[], { lanes, ...course }: Course): Promise<readonly Verdict[]> {
  const together = faults.filter(({ alone }) => alone !== true);
  const alone = faults.filter((fault) => fault.alone === true);
  const width = Math.max(1, Math.min(lanes, together.length));
  const verdicts = (await Promise.all(Array.from({ length: width }, () => runLane(together, course)))).flat();
  verdicts.push(...(await runLane(alone, course)));
  return faults.flatMap(({ name }) => verdicts.filter(({ fault }) => fault === name));
}

/** Takes from the list what nobody else has taken, until there is nothing left. */
async function runLane(waiting: Fault[], { tell, ...chance }: Omit<Course, 'lanes'>): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  if (waiting.length === 0) return verdicts;
  await using lane = new Lane();
  for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
    const verdict = await lane.show(fault, chance);
    tell(verdict);
    verdicts.push(verdict);
  }
  return verdicts;
}

class Lane implements AsyncDisposable {
  readonly #process: ChildProcess = fork(PROGRAM);
  readonly #ended = once(this.#process, 'exit');

  async show({ name }: Fault, chance: Chance): Promise<Verdict> {
    const answer = once(this.#process, 'message');
    this.#process.send({ name, chance });
    const ended = this.#ended.then(([code, signal]) => {
      throw new Error(`the lane that showed '${name}' has ended (${signal ?? code})`);
    });
    const [verdict] = await Promise.race([answer, ended]);
    return verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#ended;
  }
}
