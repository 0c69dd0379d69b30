import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adapterTypes } from '../../adapters/registry.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { loadConfig, readConfigFile } from '../config/load.ts';
import { renderDiagnostics } from '../config/render.ts';
import { type Daemon, startDaemon } from '../daemon.ts';
import { createLog } from '../observe/log.ts';
import type { Cluster } from '../source/cluster.ts';
import { findCluster, NoClusterError } from '../source/find-cluster.ts';
import { defaultConfig } from './default-config.ts';
import { EXIT, Exit } from './exit-codes.ts';
import { keepStatusLine } from './status-line.ts';
import type { StopSignals } from './stop-signals.ts';
import type { Terminal } from './terminal.ts';
import { VERSION } from './version.ts';

export interface RunOptions {
  readonly file: string | undefined;
  readonly port: number;
  readonly logLevel: string;
}

/** Whoever stops it while it still waits, for the journal or for credentials, has asked for just that: no failure. */
export async function run(options: RunOptions, terminal: Terminal, signals: StopSignals): Promise<void> {
  try {
    await runUntil(signals, options, terminal);
  } catch (error) {
    if (!signals.stop.aborted || !causedBy(error, signals.stop.reason)) throw error;
  }
}

async function runUntil({ stop, kill }: StopSignals, options: RunOptions, terminal: Terminal): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { config, cluster } =
    options.file === undefined ? await ambient(options, stack, stop) : await fromFile(options.file, stop);
  const pretty = terminal.interactive;
  const log = await createLog({ level: options.logLevel, pretty, write: (text) => terminal.write(text) });
  if (!pretty) terminal.sayThrough(log);
  log.info(
    {
      version: VERSION,
      cluster: config.cluster,
      server: cluster.server.href,
      from: cluster.describe,
      journal: config.journal.path,
    },
    'starting',
  );
  const daemon = await start({ config, cluster, log, clock: systemClock, version: VERSION }, { stop, kill });
  for (const [name, { address }] of daemon.served) {
    terminal.say(`Broker ${name}: ${address}   try: mosquitto_sub -h 127.0.0.1 -p ${new URL(address).port} -t '#' -v`);
  }
  using _status = keepStatusLine(daemon, terminal);
  try {
    await daemon.ended;
  } catch (error) {
    throw new Exit(EXIT.cannotRun, `The journal failed, so nothing more can be promised: ${message(error)}`, {
      cause: error,
    });
  }
  const rest =
    options.file === undefined ? 'the journal goes with it' : 'what is not delivered yet waits in the journal';
  log.info(`stopped; ${rest}`);
}

async function start(options: Parameters<typeof startDaemon>[0], { stop, kill }: StopSignals): Promise<Daemon> {
  try {
    return await startDaemon(options, stop, kill);
  } catch (error) {
    throw new Exit(EXIT.cannotRun, message(error), { cause: error });
  }
}

async function fromFile(file: string, signal: AbortSignal): Promise<{ config: Config; cluster: Cluster }> {
  const loaded = await readConfigFile(file, { adapters: adapterTypes, needSecrets: true });
  if ('diagnostics' in loaded) {
    throw new Exit(EXIT.failed, renderDiagnostics(loaded.diagnostics, { colour: process.stderr.isTTY === true }));
  }
  return { config: loaded.config, cluster: await clusterOf(loaded.config, signal) };
}

/** Without a file: the current context, a broker on this machine, this terminal, and a journal that goes with it. */
async function ambient(
  options: RunOptions,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ config: Config; cluster: Cluster }> {
  const folder = await mkdtemp(join(tmpdir(), 'kube-fanout-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const at = { port: options.port, journal: join(folder, 'journal.db') };
  const text = (cluster: string) => defaultConfig({ ...at, cluster });
  const loaded = loadConfig(text('default'), { file: 'default', adapters: adapterTypes, env: process.env });
  if ('diagnostics' in loaded) throw new Error(renderDiagnostics(loaded.diagnostics, { colour: false }));
  const cluster = await clusterOf(loaded.config, signal);
  return { config: { ...loaded.config, cluster: cluster.name ?? 'default' }, cluster };
}

async function clusterOf(config: Config, signal: AbortSignal): Promise<Cluster> {
  try {
    return await findCluster(config.source.cluster, signal);
  } catch (error) {
    const hint = error instanceof NoClusterError ? '\nTo see it work without one: kube-fanout demo' : '';
    throw new Exit(EXIT.noCluster, message(error) + hint, { cause: error });
  }
}

function causedBy(error: unknown, reason: unknown): boolean {
  return error === reason || (error instanceof Error && error.cause !== undefined && causedBy(error.cause, reason));
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
