import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As its image starts it, see deploy/Dockerfile. */
const NURSERY = ['--max-semi-space-size=4'];

/** The daemon's own grace, and a little more. */
const END_MS = 15_000;

export interface DemoDaemon extends AsyncDisposable {
  /** Aborts when the process has ended. */
  readonly died: AbortSignal;
  /** The end of its log, for when it died. */
  lastWords(): Promise<string>;
  /** Resident memory; 0 where the system does not tell. */
  residentMiB(): Promise<number>;
}

/** The real daemon, as its own process and by a config like anybody's. */
export async function startDemoDaemon(at: {
  readonly directory: string;
  readonly server: string;
  readonly port: number;
}): Promise<DemoDaemon> {
  const [config, log] = [join(at.directory, 'demo.yaml'), join(at.directory, 'daemon.log')];
  await writeFile(config, configText(at));
  await using output = await open(log, 'a');
  const main = fileURLToPath(import.meta.resolve(`./main${extname(import.meta.filename)}`));
  const stdio = ['ignore', output.fd, output.fd, 'ipc'] as const;
  const child: ChildProcess = fork(main, ['run', '-c', config], {
    execArgv: NURSERY,
    stdio: [...stdio],
    detached: true,
  });
  const died = new AbortController();
  child.once('exit', () => died.abort());
  return {
    died: died.signal,
    async lastWords() {
      const text = await readFile(log, 'utf8').catch(() => '');
      return text.trim().split('\n').slice(-5).join('\n');
    },
    async residentMiB() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      const [, kib = '0'] = /VmRSS:\s+(\d+) kB/.exec(status) ?? [];
      return Math.round(Number(kib) / 1024);
    },
    async [Symbol.asyncDispose]() {
      if (died.signal.aborted) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await gone;
      clearTimeout(late);
    },
  };
}

function configText({ directory, server, port }: { directory: string; server: string; port: number }): string {
  return `apiVersion: kube-fanout/v1alpha1
cluster: demo
source: { kubernetes: { server: ${JSON.stringify(server)} } }
journal: { path: ${JSON.stringify(join(directory, 'journal.db'))} }
brokers:
  here: { mqtt: { embedded: { port: ${port} } } }
routes:
  - name: everything
    to: { broker: here, topic: "k8s/{event.metadata.namespace}/{event.regarding.kind}/{event.reason}" }
    startFrom: oldest
`;
}

/** The port that was asked for, or any other when somebody has it already. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') server.listen(0, '127.0.0.1', resolve);
    else reject(error);
  });
  server.listen(wanted, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : wanted;
}
