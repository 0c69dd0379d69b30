import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { KubeAddress } from '../backends/kube.ts';
import { Program } from '../backends/process.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface DaemonSpec {
  /** Holds the config, the journal and the logs; kept over restarts. */
  readonly directory: string;
  readonly kube: KubeAddress;
  /** Who the daemon is for the API server; the administrator's unless given. */
  readonly token?: string;
  /** Anything else below source.kubernetes, such as namespaces. */
  readonly source?: object;
  readonly brokers: object;
  readonly routes: readonly object[];
  /** Of its config and its log; without it, that of the only one in the directory. */
  readonly name?: string;
  /** Node's arguments that start the daemon, and its environment; from its sources unless given. */
  readonly program?: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** Anything else at the top of the config. */
  readonly more?: object;
  /** debug unless given. */
  readonly logLevel?: string;
}

/** What a daemon finds at its next start; its path. */
export async function writeConfig(spec: DaemonSpec): Promise<string> {
  const { directory, kube, token = kube.token, source, brokers, routes, name = 'daemon', more } = spec;
  const [config, ca, tokenFile] = [`${name}.yaml`, 'ca.pem', 'token'].map((file) => join(directory, file));
  if (config === undefined || ca === undefined || tokenFile === undefined)
    throw new Error('three names make three files');
  await writeFile(ca, kube.ca);
  await writeFile(tokenFile, token);
  const kubernetes = { server: kube.server, caFile: ca, token: { file: tokenFile }, ...source };
  const journal = { path: join(directory, 'journal.db') };
  const whole = {
    apiVersion: 'kube-fanout/v1alpha1',
    cluster: 'test',
    source: { kubernetes },
    journal,
    brokers,
    routes,
    ...more,
  };
  await writeFile(config, stringify(whole));
  return config;
}

/** The daemon as a user runs it: its own process, its config a file. */
export async function startDaemonProcess(spec: DaemonSpec): Promise<Program> {
  const { directory, name = 'daemon', program = { args: [MAIN], env: {} }, logLevel = 'debug' } = spec;
  const config = await writeConfig(spec);
  const log = join(directory, `${name}.log`);
  return Program.start({
    name: 'kube-fanout',
    command: process.execPath,
    env: program.env,
    args: [...program.args, 'run', '-c', config, '--log-level', logLevel],
    log,
    ready: async () => {
      const text = await readFile(log, 'utf8').catch(() => '');
      if (!text.includes('"starting"')) throw new Error('it has not said that it starts');
    },
  });
}

/** Settles when the daemon watches every stream, by its own metrics. */
export async function watching(port: number): Promise<void> {
  await until('the daemon watches the API server', async () => {
    const streams = [...(await metricsAt(port)).matchAll(/^kube_fanout_stream_up\{.*\} (\d)$/gm)];
    return streams.length > 0 && streams.every(([, up]) => up === '1');
  });
}

/** Empty while nobody answers. */
export async function metricsAt(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
  return (await answer?.text().catch(() => '')) ?? '';
}

/** Settles when the condition holds; rejects, in the words of `what`, when it does not within `ms`. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, ms = 90_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await sleep(5);
  }
}

/** Settles when the daemon has logged that, in its first start or a later one. */
export async function says(daemon: Program, words: RegExp): Promise<void> {
  const log = () => readFile(daemon.log, 'utf8');
  await until(`the daemon says ${words}`, async () => words.test(await log())).catch(async (error) => {
    throw new Error(`${error.message}; it said:\n${(await log()).slice(-3_000)}`);
  });
}
