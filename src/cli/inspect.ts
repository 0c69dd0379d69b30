import pino from 'pino';
import { adapterTypes } from '../../adapters/registry.ts';
import { readConfigFile } from '../config/load.ts';
import { renderDiagnostics } from '../config/render.ts';
import { type Inspection, inspectionOf } from '../control/inspection.ts';
import { Refusal } from '../control/operation.ts';
import { EXIT, Exit } from './exit-codes.ts';

/** Which journal a command is about. */
export interface JournalOption {
  readonly config?: string;
  readonly journal?: string;
}

/** Asks the journal, and says in its own words what cannot be done. */
export async function inspect<Result>(
  option: JournalOption,
  ask: (inspection: Inspection) => Promise<Result>,
): Promise<Result> {
  const path = await pathOf(option);
  try {
    await using inspection = await inspectionOf(path, pino({ level: 'silent' }));
    return await ask(inspection);
  } catch (error) {
    if (error instanceof Exit || !(error instanceof Error)) throw error;
    throw new Exit(error instanceof Refusal ? EXIT.failed : EXIT.cannotRun, sentence(error.message), { cause: error });
  }
}

async function pathOf({ config, journal }: JournalOption): Promise<string> {
  if (journal !== undefined) return journal;
  if (config === undefined) {
    const ambient = '`kube-fanout run` without a config says in its first line of log where its journal is';
    throw new Exit(EXIT.usage, `Which journal? Say -c FILE, the config of the daemon, or --journal PATH (${ambient}).`);
  }
  const loaded = await readConfigFile(config, { adapters: adapterTypes });
  if ('config' in loaded) return loaded.config.journal.path;
  const text = renderDiagnostics(loaded.diagnostics, { colour: process.stderr.isTTY === true });
  throw new Exit(EXIT.failed, `${text}\nWith --journal PATH no config is read.`);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
