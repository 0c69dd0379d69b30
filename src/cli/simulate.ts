import { simulate } from '../simulator/simulate.ts';
import { EXIT, Exit } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

export interface SimulateCommand {
  readonly host: string;
  readonly port: number;
  readonly rate: number | undefined;
}

/** Seconds from the start of one scenario to the start of the next. */
const CYCLE_SECONDS = 10;

export async function simulateCluster(options: SimulateCommand, terminal: Terminal, stop: AbortSignal): Promise<void> {
  const { host, port, rate } = options;
  const what = rate === undefined ? { cycleSeconds: CYCLE_SECONDS } : { rate };
  try {
    await simulate({ host, port, ...what }, stop, ({ address }) => {
      terminal.say(`A simulated cluster's API server is at ${address}
  Make something happen:  curl -X POST ${address}/scenarios/crashloop
  What there is:          curl ${address}/scenarios`);
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Exit(EXIT.cannotRun, `The simulated cluster cannot be served on ${host}:${port}: ${why}`, {
      cause: error,
    });
  }
}
