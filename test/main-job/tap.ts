import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';
import type { KubeAddress } from '../backends/kube.ts';

/** Of a page of a list: the daemon has asked for it, has half of its bytes, has all of them. */
export type Moment = 'asked' | 'half' | 'answered';

const List = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

/** Stands between the daemon and the API server: it changes nothing, and tells a test when the daemon lists. */
export class Tap implements AsyncDisposable {
  /** Where the daemon finds the API server. */
  readonly address: KubeAddress;
  /** How many lists have begun, and how many of their pages were asked for; a probe is no list. */
  lists = 0;
  pages = 0;
  /** The resourceVersions of pages that came from no list's snapshot, for their token had expired, but from the present. */
  readonly presents: bigint[] = [];
  readonly #snapshots = new Set<string>();
  readonly #watches = new Set<AbortController>();
  /** Told of each moment of each page; the page goes on at once. */
  onPage: (moment: Moment) => void = () => {};
  readonly #server: Server;
  readonly #kube: KubeAddress;
  readonly #agent: Agent;

  private constructor(server: Server, kube: KubeAddress, port: number) {
    this.#server = server;
    this.#kube = kube;
    this.address = { ...kube, server: `http://127.0.0.1:${port}` };
    this.#agent = new Agent({ connect: { ca: kube.ca }, bodyTimeout: 0, headersTimeout: 0 });
    server.on('request', (asked: IncomingMessage, answer: ServerResponse) => {
      // A daemon that is killed leaves its requests behind.
      this.#pass(asked, answer).catch(() => answer.destroy());
    });
  }

  static async open(kube: KubeAddress): Promise<Tap> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The kernel gave no port.');
    return new Tap(server, kube, address.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Ends every watch that is open, in good order, as a proxy does that has an idle limit. */
  endWatches(): void {
    for (const watch of this.#watches) watch.abort();
  }

  async #pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = asked.url ?? '/';
    const query = new URL(path, this.#kube.server).searchParams;
    const isPage = !query.has('watch') && query.get('limit') !== '1';
    if (isPage) this.#count(query.has('continue'));
    const gone = new AbortController();
    answer.once('close', () => gone.abort());
    const { authorization = '', accept = '' } = asked.headers;
    const { statusCode, headers, body } = await request(`${this.#kube.server}${path}`, {
      dispatcher: this.#agent,
      headers: { authorization, accept },
      signal: gone.signal,
    });
    answer.writeHead(statusCode, { 'content-type': String(headers['content-type']) });
    answer.flushHeaders();
    if (query.has('watch')) return this.#watch(body, answer);
    if (!isPage) return pipeline(body, answer);
    const bytes = Buffer.from(await body.bytes());
    if (statusCode === 200) this.#note(bytes, query.has('continue'));
    await this.#page(bytes, answer);
  }

  async #watch(body: AsyncIterable<Uint8Array>, answer: ServerResponse): Promise<void> {
    const ended = new AbortController();
    this.#watches.add(ended);
    ended.signal.addEventListener('abort', () => answer.end());
    try {
      for await (const chunk of body) {
        if (ended.signal.aborted) return;
        if (!answer.write(chunk)) await once(answer, 'drain', { signal: ended.signal });
      }
      answer.end();
    } finally {
      this.#watches.delete(ended);
    }
  }

  #count(continued: boolean): void {
    if (!continued) this.lists += 1;
    this.pages += 1;
    this.onPage('asked');
  }

  #note(page: Buffer, continued: boolean): void {
    const { resourceVersion } = List.parse(JSON.parse(page.toString())).metadata;
    if (!continued) this.#snapshots.add(resourceVersion);
    else if (!this.#snapshots.has(resourceVersion)) this.presents.push(BigInt(resourceVersion));
  }

  async #page(bytes: Buffer, answer: ServerResponse): Promise<void> {
    const half = bytes.length >> 1;
    await new Promise((sent) => answer.write(bytes.subarray(0, half), sent));
    this.onPage('half');
    await new Promise((sent) => answer.end(bytes.subarray(half), () => sent(undefined)));
    this.onPage('answered');
  }
}
