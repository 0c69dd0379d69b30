/** A proxy in front of an API server that keeps lines of watches from its clients, as a defect of one might. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { Agent, request } from 'undici';
import type { KubeAddress } from '../backends/kube.ts';

export interface HidingProxy extends AsyncDisposable {
  /** Plain HTTP. */
  readonly server: URL;
  hidden: number;
  /** Requests of lists. */
  lists: number;
}

export async function startHidingProxy(kube: KubeAddress, hides: (line: string) => boolean): Promise<HidingProxy> {
  const dispatcher = new Agent({ connect: { ca: kube.ca }, bodyTimeout: 0 });
  const server = createServer((asked, answer) => {
    pass(asked, answer).catch(() => answer.destroy());
  });
  const pass = async ({ url, headers }: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const end = new AbortController();
    answer.on('close', () => end.abort());
    const { authorization = '', accept = '*/*' } = headers;
    const asked = { dispatcher, signal: end.signal, headers: { authorization, accept } };
    const { statusCode, body } = await request(`${kube.server}${url}`, asked);
    answer.writeHead(statusCode, { 'content-type': 'application/json' });
    answer.flushHeaders();
    if (!url?.includes('watch=1')) {
      proxy.lists += 1;
      answer.end(await body.text());
      return;
    }
    for await (const line of createInterface({ input: body })) {
      if (hides(line)) proxy.hidden += 1;
      else answer.write(`${line}\n`);
    }
    answer.end();
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const proxy: HidingProxy = {
    server: new URL(`http://127.0.0.1:${port}`),
    hidden: 0,
    lists: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await dispatcher.destroy();
    },
  };
  return proxy;
}
