import { type Command, Option } from 'commander';
import { REASONS } from '../adapter.ts';
import type { DeadLettersOptions } from './dead-letters.ts';
import { EXIT, Exit, type ExitCode } from './exit-codes.ts';
import { withJournalOption } from './journal-option.ts';
import { pointInTime } from './point-in-time.ts';
import { wholeNumber } from './whole-number.ts';

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

  withSelection(group.command('replay'))
    .description('have them sent again, marked as a replay; what dies again is a dead letter again')
    .option('--all', 'all there are')
    .action(async (ids: string[], options) => {
      const { replay } = await import('./dead-letters-done.ts');
      done(await replay(demanded('Replay', selected(ids, options))));
    });

  withSelection(group.command('drop'))
    .description('let go of them for ever')
    .option('--all', 'all there are')
    .action(async (ids: string[], options) => {
      const { drop } = await import('./dead-letters-done.ts');
      done(await drop(demanded('Drop', selected(ids, options))));
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

/** Nothing is done to all of them because somebody has forgotten to say which. */
function demanded(what: 'Show' | 'Replay' | 'Drop', options: DeadLettersOptions): DeadLettersOptions {
  const { route, reason, since, until, id, all = false } = options;
  const isSelection = [route, reason, since, until, id].some((one) => one !== undefined);
  if (isSelection && all)
    throw new Exit(EXIT.usage, 'All of them, or a selection: --all goes with none of the others.');
  if (isSelection || all) return options;
  const how = '`kube-fanout dead-letters list` shows which there are';
  const orAll = what === 'Show' ? '' : ', or --all';
  throw new Exit(EXIT.usage, `${what} which? Say --route, --reason, --since, --until or an id${orAll} (${how}).`);
}
