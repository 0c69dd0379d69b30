import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

/** The command line as a shell runs it. */
export function runCli(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (_, out, said) =>
      resolve({ code: child.exitCode ?? -1, out, said }),
    );
  });
}
