/**
 * The two questions that one stream asks the API server, over connections of its own: list and watch of core/v1 Events.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/
 *
 * HTTP/1.1 on purpose: there a watch that is not read stops its own socket, and nothing else.
 */
import { type Dispatcher, Pool } from 'undici';
import { ALL_NAMESPACES, parseResourceVersion, type ResourceVersion, type StreamName } from '../envelope/position.ts';
import { ApiError, fieldsOf, statusIn, UnorderedError } from './api-error.ts';
import type { Cluster } from './cluster.ts';
import { LineSplitter } from './lines.ts';
import { noList, refusedBy, unreachable } from './remedy.ts';

interface ListPage {
  readonly rv: ResourceVersion;
  readonly items: readonly unknown[];
  /** Where the list goes on, or undefined when this page is its last. */
  readonly token: string | undefined;
  /** The length of its JSON, never 0. */
  readonly bytes: number;
}

/** A page of more bytes than are taken into memory at once. Fewer Events may fit. */
export class PageTooLargeError extends Error {
  override readonly name = 'PageTooLargeError';
}

interface LineBatch {
  /** All lines that have arrived together. */
  readonly lines: readonly Uint8Array[];
  readonly bytes: number;
}

/** A watch that is open. Reading it slowly slows the socket; leaving the loop closes it. */
export interface Watch extends AsyncIterable<LineBatch> {
  /** Milliseconds of the monotonic clock: when it was asked for, and when the API server accepted it. */
  readonly askedAt: number;
  readonly openedAt: number;
}

/** Everything rejects with an ApiError, an UnorderedError, or an Error that says what the network did. */
export interface EventsApi extends AsyncDisposable {
  /** At which resourceVersion the API server stands, told by the store itself. */
  probe(signal: AbortSignal): Promise<ResourceVersion>;
  list(options: { readonly token: string | undefined; readonly limit: number }, signal: AbortSignal): Promise<ListPage>;
  watch(options: WatchOptions, signal: AbortSignal): Promise<Watch>;
}

interface WatchOptions {
  readonly from: ResourceVersion;
  /** How long the API server is asked to keep it open. */
  readonly seconds: number;
  /** What it may be silent beyond that before its socket counts as dead. */
  readonly graceMs: number;
}

export interface EventsApiOptions {
  readonly cluster: Cluster;
  readonly stream: StreamName;
  readonly fieldSelector: string | undefined;
  readonly userAgent: string;
}

export function eventsApi(options: EventsApiOptions): EventsApi {
  return new Connection(options);
}

/** limit=1 can be an Event of 1.2 MB, so a probe asks for metadata only. */
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const JSON_TYPE = 'application/json';
/** The API server itself gives up after 60 s. */
const ANSWER_TIMEOUT_MS = 65_000;
/** Enough for a single Event with every character of it escaped. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024;
const KEEP_ALIVE_MS = 15_000;

class Connection implements EventsApi {
  readonly #options: EventsApiOptions;
  readonly #path: string;
  #cluster: Cluster;
  #pool: Pool;

  constructor(options: EventsApiOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
    this.#pool = poolFor(options.cluster);
    const { stream } = options;
    const prefix = this.#cluster.server.pathname.replace(/\/$/, '');
    const scope = stream === ALL_NAMESPACES ? '' : `/namespaces/${encodeURIComponent(stream)}`;
    this.#path = `${prefix}/api/v1${scope}/events`;
  }

  async probe(signal: AbortSignal): Promise<ResourceVersion> {
    return (await this.#listed({ query: { limit: '1' }, accept: METADATA_LIST }, signal)).rv;
  }

  list(options: { token: string | undefined; limit: number }, signal: AbortSignal): Promise<ListPage> {
    const query: Record<string, string> = { limit: String(options.limit), ...this.#selector() };
    if (options.token !== undefined) query.continue = options.token;
    return this.#listed({ query, accept: JSON_TYPE }, signal);
  }

  async watch({ from, seconds, graceMs }: WatchOptions, signal: AbortSignal): Promise<Watch> {
    const query = {
      watch: '1',
      resourceVersion: from,
      timeoutSeconds: String(seconds),
      allowWatchBookmarks: 'true',
      ...this.#selector(),
    };
    const silenceMs = seconds * 1000 + graceMs;
    const askedAt = performance.now();
    const { body } = await this.#get({ query, accept: JSON_TYPE, silenceMs }, signal);
    return { askedAt, openedAt: performance.now(), [Symbol.asyncIterator]: () => this.#batches(body) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }

  async *#batches(body: Dispatcher.ResponseData['body']): AsyncGenerator<LineBatch> {
    const splitter = new LineSplitter();
    try {
      for await (const chunk of body) {
        const lines = splitter.push(chunk);
        if (lines.length === 0) continue;
        yield { lines, bytes: chunk.length };
      }
    } catch (error) {
      throw unreachable(this.#cluster, error);
    }
    if (splitter.unfinished)
      throw new Error(`the watch of ${this.#cluster.server.origin} ended in the middle of a line`);
  }

  async #listed(request: Get, signal: AbortSignal): Promise<ListPage> {
    const { body } = await this.#get(request, signal);
    const text = await this.#textOf(body);
    const { metadata, items } = fieldsOf(jsonIn(text));
    const { resourceVersion, continue: token } = fieldsOf(metadata);
    const rv = parseResourceVersion(resourceVersion);
    if (typeof resourceVersion !== 'string') throw noList(this.#cluster, text);
    if (rv === undefined) throw new UnorderedError(resourceVersion);
    // An empty list of metadata comes with `items: null`.
    return {
      rv,
      items: Array.isArray(items) ? items : [],
      token: typeof token === 'string' && token !== '' ? token : undefined,
      bytes: text.length,
    };
  }

  async #textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of body) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_PAGE_BYTES) break;
      }
    } catch (error) {
      throw unreachable(this.#cluster, error);
    }
    if (bytes > MAX_PAGE_BYTES) throw new PageTooLargeError(`a page of a list has more than ${MAX_PAGE_BYTES} bytes`);
    return Buffer.concat(chunks, bytes).toString();
  }

  #selector(): Record<string, string> {
    const { fieldSelector } = this.#options;
    return fieldSelector === undefined ? {} : { fieldSelector };
  }

  /** A 401 may mean that the credentials have run out: then new ones are asked for, once. */
  async #get(request: Get, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const first = await this.#send(request, signal);
    if (first.statusCode === 200) return first;
    const error = await this.#refusal(first);
    if (first.statusCode !== 401 || this.#cluster.renew === undefined) throw error;
    await this.#renew(this.#cluster.renew.bind(this.#cluster), signal);
    const second = await this.#send(request, signal);
    if (second.statusCode === 200) return second;
    throw await this.#refusal(second);
  }

  async #send({ query, accept, silenceMs }: Get, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    try {
      const token = await this.#cluster.token();
      return await this.#pool.request({
        method: 'GET',
        path: this.#path,
        query,
        headers: {
          ...this.#cluster.headers,
          accept,
          'user-agent': this.#options.userAgent,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        signal,
        headersTimeout: ANSWER_TIMEOUT_MS,
        bodyTimeout: silenceMs ?? ANSWER_TIMEOUT_MS,
        highWaterMark: READ_AHEAD_BYTES,
      });
    } catch (error) {
      throw unreachable(this.#cluster, error);
    }
  }

  async #refusal({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Error> {
    const text = await this.#textOf(body).catch(() => '');
    const found = statusIn(jsonIn(text));
    const retryAfter = Number(headers['retry-after']);
    const status = {
      ...found,
      code: statusCode,
      message: found.message ?? text.slice(0, 200),
      retryAfterSeconds: retryAfter > 0 ? retryAfter : found.retryAfterSeconds,
    };
    const { stream, fieldSelector } = this.#options;
    return new ApiError(refusedBy(status, { cluster: this.#cluster, stream, fieldSelector }), status);
  }

  async #renew(renew: (signal: AbortSignal) => Promise<Cluster>, signal: AbortSignal): Promise<void> {
    this.#cluster = await renew(signal);
    const old = this.#pool;
    this.#pool = poolFor(this.#cluster);
    // It ends by itself once the watch that may still be open on it has; nobody waits for that.
    old.close().catch(() => undefined);
  }
}

interface Get {
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string;
  readonly silenceMs?: number;
}

/** So much may have arrived before the loop comes back for it: a burst becomes one batch, and so one append. */
const READ_AHEAD_BYTES = 512 * 1024;

function poolFor({ server, ca, cert, key, servername, insecure }: Cluster): Pool {
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(insecure === true ? { rejectUnauthorized: false } : {}),
  };
  return new Pool(server.origin, {
    pipelining: 1,
    allowH2: false,
    connect: { ...tls, timeout: 10_000, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
  });
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
