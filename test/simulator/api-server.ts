import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';

/** An API server that is held to the contract: a simulated one, or a real one. */
export interface ApiServer extends AsyncDisposable {
  readonly address: string;
  /** The certificate authority, PEM, where it is served by https. */
  readonly ca?: string;
  readonly token: string;
  /** Of a user who may do nothing. */
  readonly strangersToken: string;
  /** Forgets all history up to now. */
  compact(): Promise<void>;
}

const Metadata = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
});
const ApiEvent = z.looseObject({ metadata: Metadata });
export type ApiEvent = z.infer<typeof ApiEvent>;

const List = z.object({
  kind: z.string(),
  apiVersion: z.string(),
  metadata: z.object({
    resourceVersion: z.string(),
    continue: z.string().optional(),
    remainingItemCount: z.int().optional(),
  }),
  items: z.array(ApiEvent),
});
export type List = z.infer<typeof List>;

const Line = z.object({ type: z.string(), object: z.looseObject({}) });
export type Line = z.infer<typeof Line>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

export interface Asking {
  readonly method?: Dispatcher.HttpMethod;
  readonly body?: unknown;
  readonly accept?: string;
  readonly contentType?: string;
  readonly token?: string;
}

export const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
export const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
export const CORE = '/api/v1';
export const GROUP = '/apis/events.k8s.io/v1';

/** What a test asks of such a server. Event names and namespaces are the test's own, for a real server is shared. */
export class ApiClient implements AsyncDisposable {
  readonly server: ApiServer;
  readonly #agent: Agent;

  constructor(server: ApiServer) {
    this.server = server;
    this.#agent = new Agent(server.ca === undefined ? {} : { connect: { ca: server.ca } });
  }

  async ask(path: string, asking: Asking = {}): Promise<Answer> {
    const { statusCode, headers, body } = await this.#send(path, asking);
    const text = await body.text();
    return { status: statusCode, headers, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  async list(path: string, accept?: string): Promise<List> {
    return List.parse(await this.#succeed(path, accept === undefined ? {} : { accept }));
  }

  /** All pages of a list, and what happens between one and the next. */
  async pages(path: string, limit: number, between: () => Promise<void> = async () => {}): Promise<List[]> {
    const pages: List[] = [];
    let token: string | undefined;
    do {
      const next = token === undefined ? '' : `&continue=${token}`;
      const page = await this.list(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}${next}`);
      pages.push(page);
      token = page.metadata.continue;
      await between();
    } while (token !== undefined);
    return pages;
  }

  async createNamespace(prefix = 'contract'): Promise<string> {
    const name = `${prefix}-${crypto.randomUUID().slice(0, 8)}`;
    await this.#succeed(`${CORE}/namespaces`, { method: 'POST', body: { metadata: { name } } });
    return name;
  }

  async create(namespace: string, name: string, fields: object = {}): Promise<ApiEvent> {
    const path = `${CORE}/namespaces/${namespace}/events`;
    return ApiEvent.parse(await this.#succeed(path, { method: 'POST', body: eventOf(namespace, name, fields) }));
  }

  async update(namespace: string, name: string, patch: object): Promise<ApiEvent> {
    const path = `${CORE}/namespaces/${namespace}/events/${name}`;
    const contentType = 'application/merge-patch+json';
    return ApiEvent.parse(await this.#succeed(path, { method: 'PATCH', body: patch, contentType }));
  }

  async delete(namespace: string, name: string): Promise<void> {
    await this.#succeed(`${CORE}/namespaces/${namespace}/events/${name}`, { method: 'DELETE' });
  }

  /** The resourceVersion that a list says at present. */
  async now(): Promise<string> {
    return (await this.list(`${CORE}/events?limit=1`, METADATA_LIST)).metadata.resourceVersion;
  }

  /** All lines of a watch until the server ends it; a second is long enough for what has happened already. */
  async watched(path: string, query: string, accept?: string): Promise<Line[]> {
    return Array.fromAsync(this.watch(path, `timeoutSeconds=1&${query}`, accept));
  }

  /** The lines of a watch as they come. It is open once the first step has been taken, and closed by a return. */
  async *watch(path: string, query: string, accept?: string): AsyncGenerator<Line> {
    const asking = accept === undefined ? {} : { accept };
    const { statusCode, body } = await this.#send(`${path}?watch=true&${query}`, asking);
    if (statusCode !== 200) throw new Error(`${path}?${query}: ${statusCode} ${await body.text()}`);
    let rest = '';
    for await (const chunk of body.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield Line.parse(JSON.parse(line));
    }
    if (rest !== '') throw new Error(`the watch ended within a line: ${rest}`);
  }

  #send(path: string, { method = 'GET', body, accept, contentType, token }: Asking): Promise<Dispatcher.ResponseData> {
    return request(`${this.server.address}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${token ?? this.server.token}`,
        accept: accept ?? 'application/json',
        ...(body !== undefined && { 'content-type': contentType ?? 'application/json' }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  async #succeed(path: string, asking: Asking): Promise<unknown> {
    const { status, body } = await this.ask(path, asking);
    if (status >= 400) throw new Error(`${asking.method ?? 'GET'} ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** What a kubelet would write about a Pod, unless `fields` say otherwise. */
export function eventOf(namespace: string, name: string, fields: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: { kind: 'Pod', apiVersion: 'v1', namespace, name: 'web-0', uid: 'b5a3' },
    reason: 'Started',
    message: 'The container has started',
    source: { component: 'kubelet', host: 'node-1' },
    firstTimestamp: '2026-11-01T00:00:00Z',
    lastTimestamp: '2026-11-01T00:00:00Z',
    count: 1,
    type: 'Normal',
    ...fields,
  };
}

export function namesOf(list: List | readonly List[]): string[] {
  const lists = 'items' in list ? [list] : list;
  return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
}

/** `TYPE name resourceVersion` of each line that is about an Event. */
export function told(lines: readonly Line[]): string[] {
  return lines.map(({ type, object }) => {
    const event = ApiEvent.safeParse(object).data;
    return event === undefined ? type : `${type} ${event.metadata.name} ${event.metadata.resourceVersion}`;
  });
}
