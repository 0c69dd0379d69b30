import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import type { KubeAddress } from '../backends/kube.ts';

/** Of a page of a list: the daemon has asked for it, has half of its bytes, has all of them. */
export type Moment = 'asked' | 'half' | 'answered';
/** A probe is a list of one Event. */
export type Question = 'probe' | 'page' | 'watch';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

type Chunks = AsyncIterable<Uint8Array>;

/** For `meddle`: gives what comes in the place of each line. */
export function byLine(change: (line: string) => Iterable<string | Uint8Array>): (watch: Chunks) => Chunks {
  return async function* (watch) {
    let rest: Uint8Array = new Uint8Array();
    for await (const chunk of watch) {
      const bytes = Buffer.concat([rest, chunk]);
      const end = bytes.lastIndexOf('\n');
      rest = bytes.subarray(end + 1);
      const lines = end === -1 ? [] : bytes.toString('utf8', 0, end).split('\n');
      const changed = lines.flatMap((line) => [...change(line)]);
      if (changed.length > 0) yield Buffer.concat(changed.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]));
    }
  };
}

const List = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

/**
 * Stands between the daemon and the API server, in plain HTTP, and tells a test when the daemon lists. It changes nothing
 * but what the test says.
 */
export class Tap implements AsyncDisposable {
  /** Where the daemon finds the API server. */
  readonly address: KubeAddress;
  /** How many lists have begun, and how many of their pages were asked for. */
  lists = 0;
  pages = 0;
  /** The resourceVersions of pages that came from no list's snapshot, for their token had expired, but from the present. */
  readonly presents: bigint[] = [];
  readonly #snapshots = new Set<string>();
  readonly #watches = new Set<ServerResponse>();
  /** Told of each moment of each page; the page goes on at once. */
  onPage: (moment: Moment) => void = () => {};
  /** What is answered in the API server's place; undefined lets the question pass, as soon as it settles. */
  instead: (question: Question) => Answer | undefined | Promise<Answer | undefined> = () => undefined;
  /** What becomes of the bytes of a watch; one that throws cuts the connection. */
  meddle: (watch: Chunks) => Chunks = (watch) => watch;
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
      this.#answer(asked, answer).catch(() => answer.destroy());
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
    for (const watch of this.#watches) watch.end();
  }

  /** Breaks their connections. */
  cutWatches(): void {
    for (const watch of this.#watches) watch.destroy();
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const query = new URL(asked.url ?? '/', this.#kube.server).searchParams;
    const question = query.has('watch') ? 'watch' : query.get('limit') === '1' ? 'probe' : 'page';
    if (question === 'page') this.#count(query.has('continue'));
    const instead = await this.instead(question);
    if (instead !== undefined) {
      answer.writeHead(instead.status, { 'content-type': 'application/json', ...instead.headers });
      answer.end(instead.body);
      return;
    }
    const { statusCode, headers, body } = await this.#pass(asked, answer);
    answer.writeHead(statusCode, { 'content-type': String(headers['content-type']) });
    answer.flushHeaders();
    if (question === 'watch') return this.#watch(body, answer);
    const bytes = Buffer.from(await body.bytes());
    if (question === 'probe') return void answer.end(bytes);
    if (statusCode === 200) this.#note(bytes, query.has('continue'));
    await this.#page(bytes, answer);
  }

  #pass({ url, headers }: IncomingMessage, answer: ServerResponse): Promise<Dispatcher.ResponseData> {
    const gone = new AbortController();
    answer.once('close', () => gone.abort());
    const { authorization = '', accept = '' } = headers;
    return request(`${this.#kube.server}${url}`, {
      dispatcher: this.#agent,
      headers: { authorization, accept },
      signal: gone.signal,
    });
  }

  async #watch(body: Chunks, answer: ServerResponse): Promise<void> {
    this.#watches.add(answer);
    try {
      for await (const chunk of this.meddle(body)) {
        if (answer.writableEnded || answer.destroyed) return;
        // Sent before the next one is asked for, which may cut the connection.
        await new Promise((sent) => answer.write(chunk, sent));
      }
      answer.end();
    } finally {
      this.#watches.delete(answer);
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
