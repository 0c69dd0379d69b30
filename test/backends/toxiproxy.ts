import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goProgram, TOXIPROXY } from './machine.ts';
import { freePort, Program } from './process.ts';
import { handOver } from './source.ts';

/** Shopify's Toxiproxy: stands between two programs and does to their connections what networks do. */
export interface Toxiproxy extends AsyncDisposable {
  /** A new way to `host:port`. */
  before(upstream: string): Promise<ToxicProxy>;
}

/** Seen from the client: `upstream` is what it sends, `downstream` what it gets. */
type Direction = 'upstream' | 'downstream';

export interface ToxicProxy {
  readonly port: number;
  /** What is sent in these directions is gone, without a sign, on connections that there are and on new ones. */
  swallow(...directions: readonly Direction[]): Promise<void>;
  /** Ends all connections, and refuses new ones. */
  cut(): Promise<void>;
  /** As it was at first; connections of which something was swallowed end now. */
  mend(): Promise<void>;
}

export async function startToxiproxy(): Promise<Toxiproxy> {
  await using scope = new AsyncDisposableStack();
  const { path: directory } = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-toxiproxy-')));
  const api = await freePort();
  const ask = async (method: string, path: string, body?: object) => {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    const answer = await fetch(`http://127.0.0.1:${api}${path}`, init);
    if (!answer.ok) throw new Error(`toxiproxy, ${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  const program = await Program.start({
    name: 'toxiproxy',
    command: await goProgram(TOXIPROXY),
    args: ['127.0.0.1', String(api)],
    log: join(directory, 'toxiproxy.log'),
    ready: () => ask('GET', '/version'),
  });
  scope.use(program);
  const before = async (upstream: string): Promise<ToxicProxy> => {
    const port = await freePort();
    const name = `proxy-${port}`;
    await ask('POST', '/proxies', { name, listen: `127.0.0.1:${port}`, upstream });
    const swallowed = new Set<Direction>();
    return {
      port,
      async swallow(...directions) {
        for (const stream of directions) {
          swallowed.add(stream);
          // Without a time it waits for ever, and drops what comes.
          const toxic = { name: stream, type: 'timeout', stream, attributes: { timeout: 0 } };
          await ask('POST', `/proxies/${name}/toxics`, toxic);
        }
      },
      cut: () => ask('POST', `/proxies/${name}`, { enabled: false }),
      async mend() {
        for (const stream of swallowed) await ask('DELETE', `/proxies/${name}/toxics/${stream}`);
        swallowed.clear();
        await ask('POST', `/proxies/${name}`, { enabled: true });
      },
    };
  };
  return handOver(scope, { before });
}
