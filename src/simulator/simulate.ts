import { setTimeout as wait } from 'node:timers/promises';
import { SCENARIOS } from './scenarios.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts';

export interface SimulateOptions extends SimulatorOptions {
  /** Events a second, all the time; none unless said otherwise. */
  readonly rate?: number;
  /** Seconds from the start of one scenario to the start of the next, one after the other for ever; none without it. */
  readonly cycleSeconds?: number;
}

/**
 * Runs a simulated API server until the signal aborts; `onReady` is called once it can be reached. Rejects when the
 * address, or what is asked of it, cannot be had.
 */
export async function simulate(
  options: SimulateOptions,
  signal: AbortSignal,
  onReady: (simulator: Simulator) => void = () => {},
): Promise<void> {
  await using simulator = await startSimulator(options);
  onReady(simulator);
  await Promise.all([
    aborted(signal),
    options.rate && simulator.load({ rate: options.rate, signal }),
    options.cycleSeconds && cycle(simulator, options.cycleSeconds, signal),
  ]);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

async function cycle(simulator: Simulator, seconds: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const name of Object.keys(SCENARIOS)) {
      simulator.start(simulator.play(name, { signal }));
      await wait(seconds * 1000, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
    }
  }
}
