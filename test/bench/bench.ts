import type { BrokerName } from './brokers.ts';
import type { Spread } from './spread.ts';

/** One line of the result: what was measured, beside what it is measured against, and what was hoped for. */
export interface Measured {
  /** Of the bench. */
  readonly bench: string;
  /** What is measured, such as a broker or a number of routes. */
  readonly what: string;
  readonly unit: string;
  readonly ours: Spread;
  /** Measured in turn with ours, and what ours is of it, pair by pair. */
  readonly beside?: { readonly name: string; readonly theirs: Spread; readonly ratio: Spread };
  readonly goal?: Goal;
}

export interface Goal {
  readonly text: string;
  readonly reached: boolean;
}

export interface Options {
  /** Shorter, and fewer rounds: enough to see what has changed by half. */
  readonly quick: boolean;
  readonly brokers: readonly BrokerName[];
  readonly say: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly sentence: string;
  run(options: Options): Promise<readonly Measured[]>;
}

export const EVENTS = { objects: 500, bytes: 1_200 } as const;

/** A B A B …, so that what else goes on in the machine meets all of them. */
export async function inTurns<Name extends string, Figures>(
  rounds: number,
  contenders: Readonly<Record<Name, () => Promise<Figures>>>,
): Promise<Record<Name, Figures[]>> {
  const names = Object.keys(contenders) as Name[];
  const found = Object.fromEntries(names.map((name) => [name, [] as Figures[]])) as Record<Name, Figures[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) found[name].push(await contenders[name]());
  }
  return found;
}

export function atLeast(value: number, goal: number, text: string): Goal {
  return { text, reached: value >= goal };
}

export function atMost(value: number, goal: number, text: string): Goal {
  return { text, reached: value <= goal };
}
