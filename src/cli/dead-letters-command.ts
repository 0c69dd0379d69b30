import { type Command, Option } from 'commander';
import { REASONS, type RejectReason } from '../adapter.ts';
import { EXIT, Exit, type ExitCode } from './exit-codes.ts';
import { type JournalOption, withJournalOption } from './journal-option.ts';
import { pointInTime } from './point-in-time.ts';
import { wholeNumber } from './whole-number.ts';

export interface DeadLettersOptions extends JournalOption {
  readonly route?: string;
  readonly reason?: RejectReason;
  readonly since?: number;
  readonly until?: number;
  readonly id?: readonly string[];
  readonly limit: number;
  readonly json?: boolean;
}

/** `kube-fanout dead-letters …`; `done` hears of the exit code. */
export function addDeadLetters(program: Command, done: (code: ExitCode) => void): void {
  const group = program
    .command('dead-letters')
    .description('messages that can never pass: list them, show one, send them again or drop them');

  withSelection(group.command('list'))
    .description('which there are, and why; all of them unless some are selected')
    .option('--limit <letters>', 'the newest so many', wholeNumber, 100)
    .action(async (ids: string[], options) => {
      const { list } = await import('./dead-letters.ts');
      done(await list(selected(ids, options)));
    });

  withSelection(group.command('show'))
    .description('the whole CloudEvent of each that is selected, and why it has died')
    .action(async (ids: string[], options) => {
      const { show } = await import('./dead-letters.ts');
      done(await show(demanded('Show', selected(ids, options))));
    });
}

function withSelection(command: Command): Command {
  return withJournalOption(command)
    .argument('[id...]', 'the same as --id')
    .option('--route <name>', 'of this route')
    .addOption(new Option('--reason <reason>', 'that died of this').choices(REASONS.reject))
    .option('--since <time>', 'that died then or later: 2h (so long ago), or 2026-11-25T19:04:05Z', (text) =>
      pointInTime(text),
    )
    .option('--until <time>', 'that died then or before', (text) => pointInTime(text))
    .option('--id <id...>', 'one of these ids, of dead letters or of CloudEvents')
    .option('--json', 'one JSON object a line on standard output');
}

function selected(ids: readonly string[], options: DeadLettersOptions): DeadLettersOptions {
  const { since, until, id = [] } = options;
  if (since !== undefined && until !== undefined && since > until)
    throw new Exit(EXIT.usage, 'Nothing lies between these times: --since is after --until.');
  const all = [...ids, ...id];
  return all.length > 0 ? { ...options, id: all } : options;
}

function demanded(what: string, options: DeadLettersOptions): DeadLettersOptions {
  const { route, reason, since, until, id } = options;
  if ([route, reason, since, until, id].some((one) => one !== undefined)) return options;
  const how = '`kube-fanout dead-letters list` shows which there are';
  throw new Exit(EXIT.usage, `${what} which? Say --route, --reason, --since, --until or an id (${how}).`);
}
