import pino from 'pino';
import { adapterTypes } from '../../adapters/registry.ts';
import type { Config } from '../config/config.ts';
import { readConfigFile } from '../config/load.ts';
import { renderDiagnostics } from '../config/render.ts';
import { type Inspection, inspectionOf } from '../control/inspection.ts';
import { type Explain, Refusal } from '../control/operation.ts';
import { compileRoute } from '../routing/compile.ts';
import type { CompiledRoute } from '../routing/route.ts';
import { EXIT, Exit } from './exit-codes.ts';
import type { JournalOption } from './journal-option.ts';

/** Asks the journal, and says in its own words what cannot be done. */
export async function inspect<Result>(
  option: JournalOption,
  ask: (inspection: Inspection) => Promise<Result>,
): Promise<Result> {
  const { path, explain } = await placeOf(option);
  try {
    await using inspection = await inspectionOf(path, pino({ level: 'silent' }), explain);
    return await ask(inspection);
  } catch (error) {
    if (error instanceof Exit || !(error instanceof Error)) throw error;
    throw new Exit(error instanceof Refusal ? EXIT.failed : EXIT.cannotRun, sentence(error.message), { cause: error });
  }
}

/** With both options, the journal is another one than the config's, such as a copy. */
async function placeOf({ config, journal }: JournalOption): Promise<{ path: string; explain: Explain | undefined }> {
  if (config === undefined && journal !== undefined) return { path: journal, explain: undefined };
  if (config === undefined) {
    const ambient = '`kube-fanout run` without a config says in its first line of log where its journal is';
    throw new Exit(EXIT.usage, `Which journal? Say -c FILE, the config of the daemon, or --journal PATH (${ambient}).`);
  }
  const loaded = await readConfigFile(config, { adapters: adapterTypes });
  if ('config' in loaded) return { path: journal ?? loaded.config.journal.path, explain: explainBy(loaded.config) };
  const text = renderDiagnostics(loaded.diagnostics, { colour: process.stderr.isTTY === true });
  throw new Exit(EXIT.failed, `${text}\nWith --journal PATH no config is read.`);
}

/** By the routes of a file, each compiled when it is first asked. */
function explainBy({ routes, brokers }: Config): Explain {
  const compiled = new Map<string, CompiledRoute>();
  return (name, record) => {
    const config = routes.find((route) => route.name === name);
    const type = config && brokers.get(config.broker)?.type;
    if (!type) return undefined;
    const route = compiled.get(name) ?? compileRoute(config, type);
    compiled.set(name, route);
    return route.explain(record, Date.now());
  };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
