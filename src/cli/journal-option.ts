import type { Command } from 'commander';

/** Which journal a command is about. */
export interface JournalOption {
  readonly config?: string;
  readonly journal?: string;
}

export function withJournalOption(command: Command): Command {
  return command
    .option('-c, --config <file>', "the daemon's config, which names its journal")
    .option('--journal <path>', 'the journal itself');
}
