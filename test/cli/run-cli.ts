import { vi } from 'vitest';
import { main } from '../../src/cli/program.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

/** A command line, in this process: a new one for each would take a second. One after the other. */
export async function runCli(args: readonly string[]): Promise<Ran> {
  const [out, said] = [capture(process.stdout), capture(process.stderr)];
  try {
    const code = await main(args);
    return { code, out: out.text(), said: said.text() };
  } finally {
    out.restore();
    said.restore();
  }
}

function capture(stream: NodeJS.WriteStream) {
  const chunks: string[] = [];
  const spy = vi.spyOn(stream, 'write').mockImplementation((chunk) => {
    chunks.push(String(chunk));
    return true;
  });
  return { text: () => chunks.join(''), restore: () => spy.mockRestore() };
}
