import type { Status } from '../control/status.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { inspect, type JournalOption } from './inspect.ts';

export async function status(options: JournalOption & { readonly json?: boolean }): Promise<ExitCode> {
  await inspect(options, async (inspection) => {
    for await (const item of inspection.ask('status', {})) {
      process.stdout.write(options.json === true ? `${JSON.stringify(item)}\n` : textOf(item));
    }
  });
  return EXIT.ok;
}

function textOf({ running, journal, streams, routes }: Status): string {
  const lines = [
    `Daemon     ${running ? 'runs' : 'does not run'}`,
    `Journal    ${journal.records} records, ${Math.ceil(journal.bytes / 1024)} KiB, ${journal.gaps} gaps`,
    ...streams.map(({ stream, rv = 'none', epoch, listing, up }) => {
      const doing = listing ? ', being listed' : up ? ', watched' : '';
      return `Stream     ${stream}: resourceVersion ${rv}, epoch ${epoch}${doing}`;
    }),
    ...routes.map(({ route, counters, lag, pending, connection }) => {
      const state = connection === undefined ? '' : `, broker ${connection}`;
      const { delivered, dead } = counters;
      return `Route      ${route}: ${delivered} delivered, ${lag + pending} behind, ${dead} dead${state}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}
