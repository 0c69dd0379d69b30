/** What a process has used so far, by the kernel's account. */
import { readFile } from 'node:fs/promises';

const MIB = 1024;
/** The unit of /proc: proc_pid_stat(5). It is 100 a second on every Linux that Node runs on. */
const TICK_MICROS = 10_000;

/** Microseconds of CPU that all its threads have taken, to 10,000. */
export async function cpuMicros(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

export interface Memory {
  readonly rssMiB: number;
  /** The most since it started, or since `forgetPeak`. */
  readonly peakMiB: number;
}

export async function memory(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / MIB;
  return { rssMiB: of('VmRSS'), peakMiB: of('VmHWM') };
}
