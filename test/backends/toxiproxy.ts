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
  /** What the client sends passes, but no more of it than so many KiB a second on each connection. */
  slow(kibibytes: number): Promise<void>;
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
    const toxics = new Set<string>();
    const add = async (stream: Direction, type: string, attributes: object) => {
      const toxic = `${type}-${stream}`;
      await ask('POST', `/proxies/${name}/toxics`, { name: toxic, type, stream, attributes });
      toxics.add(toxic);
    };
    return {
      port,
      async swallow(...directions) {
        // Without a time it waits for ever, and drops what comes.
        for (const stream of directions) await add(stream, 'timeout', { timeout: 0 });
      },
      slow: (rate) => add('upstream', 'bandwidth', { rate }),
      cut: () => ask('POST', `/proxies/${name}`, { enabled: false }),
      async mend() {
        for (const toxic of toxics) await ask('DELETE', `/proxies/${name}/toxics/${toxic}`);
        toxics.clear();
        await ask('POST', `/proxies/${name}`, { enabled: true });
      },
    };
  };
  return handOver(scope, { before });
}
