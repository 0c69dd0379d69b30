import { readdir, readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { test } from 'vitest';
import type { BackendName } from '../backends/backend.ts';
import type { Program } from '../backends/process.ts';
import { SOURCES } from '../backends/sources.ts';
import type { BrokerProcess } from './harness.ts';

/**
 * Whether this machine can start the broker as a program of its own, which the contract needs, for it freezes and kills
 * it. Where it cannot, a skipped test says why, and with REQUIRE_BACKENDS=1 it throws.
 */
export async function canStart(name: BackendName): Promise<boolean> {
  const lacking = await SOURCES[name].missing();
  if (lacking.length === 0) return true;
  const why = `the contract needs a ${name} of its own, and this machine lacks ${lacking.join(', ')}`;
  if (process.env.REQUIRE_BACKENDS === '1') throw new Error(`${why}; REQUIRE_BACKENDS=1 demands it.`);
  test.skip(why, () => {});
  return false;
}

/** Power over a program of this machine. `restored` brings back what it does not keep, or waits until it has it back. */
export function powerOver(program: Program, restored: () => Promise<void> = async () => {}): BrokerProcess {
  return {
    async freeze() {
      program.pause();
      while (!(await isFrozen(program.pid))) await setImmediate();
    },
    thaw: async () => program.resume(),
    kill: () => program.kill(),
    async start() {
      await program.start();
      await restored();
    },
  };
}

/** The signal comes back before it has reached every thread: one that still runs could answer. */
async function isFrozen(pid: number | undefined): Promise<boolean> {
  if (pid === undefined || process.platform !== 'linux') return true;
  const threads = await readdir(`/proc/${pid}/task`);
  const states = await Promise.all(
    threads.map(
      async (id) => /\) (\S)/.exec(await readFile(`/proc/${pid}/task/${id}/stat`, 'utf8').catch(() => ''))?.[1],
    ),
  );
  return states.every((state) => state === undefined || state === 'T');
}
