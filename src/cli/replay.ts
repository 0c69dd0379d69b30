import type { Replay, ReplayFrom } from '../control/replay.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { inspect } from './inspect.ts';
import type { JournalOption } from './journal-option.ts';
import { harmless, moment } from './plain-text.ts';

interface ReplayOptions extends JournalOption {
  readonly route: string;
  readonly from: ReplayFrom;
  readonly json?: boolean;
}

export async function replay(options: ReplayOptions): Promise<ExitCode> {
  const { route, from, json } = options;
  await inspect(options, async (inspection) => {
    for await (const item of inspection.ask('replay', { route, from })) {
      process.stdout.write(json === true ? `${JSON.stringify(item)}\n` : replayText(item));
    }
  });
  return EXIT.ok;
}

/** How much comes again of which stream, and what follows from that. */
export function replayText({ route, running, number, records, streams }: Replay): string {
  const width = Math.max(...streams.map(({ stream }) => stream.length));
  const digits = Math.max(...streams.map((stream) => count(stream.records).length));
  return [
    `Route ${route} sends ${records === 1 ? '1 record' : `${count(records)} records`} again, as replay ${number}:`,
    ...streams.map(({ stream, records, from, to, storedAt }) => {
      const many = count(records).padStart(digits);
      return `  ${harmless(stream).padEnd(width)}  ${many}  from ${from}, stored ${moment(storedAt)}, to ${to}`;
    }),
    'They say origin "replay"; what `when` filters is left out. What is new comes behind them.',
    running ? '`kube-fanout status` shows how many are left.' : 'No daemon runs: the next one sends them.',
    '',
  ].join('\n');
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
