import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiPath, Verb } from './api-path.ts';
import type { Ambush } from './faults.ts';
import { list } from './list.ts';
import { isTrue, parseListOptions } from './list-options.ts';
import type { Namespaces } from './namespaces.ts';
import { Selection } from './selection.ts';
import { negotiate, render } from './shape.ts';
import { ApiError, badRequest, expired, notFound } from './status.ts';
import type { Store } from './store.ts';
import { Watch } from './watch.ts';
import { EventWriter } from './write.ts';

export interface Answer {
  readonly code: number;
  /** JSON, or text for an object that is none. */
  readonly body: string;
}

export interface EventRequest {
  readonly path: ApiPath;
  readonly verb: Verb;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly ambush: Ambush | undefined;
  /** The body, parsed; undefined when there is none. Throws 415 when it is of another media type. */
  body(type: string): Promise<unknown>;
}

const JSON_TYPE = 'application/json';
/** https://www.rfc-editor.org/rfc/rfc7396 */
const PATCH_TYPE = 'application/merge-patch+json';

/** Real servers close a watch that sets no time after 30 to 60 minutes. */
const DEFAULT_WATCH_SECONDS = 1800;

/** The Events of both API groups. */
export class EventsApi {
  readonly watches = new Set<Watch>();
  readonly #store: Store;
  readonly #writer: EventWriter;

  constructor(store: Store, namespaces: Namespaces) {
    this.#store = store;
    this.#writer = new EventWriter(store, namespaces);
  }

  /** Resolves to nothing when the response has been taken over by a watch. */
  async answer(request: EventRequest): Promise<Answer | undefined> {
    const { path, verb, query } = request;
    if (verb === 'watch') return this.#watch(request);
    if (verb === 'list') {
      const shape = negotiate(request.request, path.group, 'list');
      const options = parseListOptions(query, path.group, false);
      return { code: 200, body: list(this.#store, new Selection(path, options), options, shape) };
    }
    const { namespace, name } = path;
    if (namespace === undefined) throw methodNotAllowed();
    return this.#object({ ...path, namespace }, name, request);
  }

  async #object(
    path: ApiPath & { namespace: string },
    name: string | undefined,
    request: EventRequest,
  ): Promise<Answer> {
    const shape = negotiate(request.request, path.group, 'object');
    const manager = request.request.headers['user-agent']?.split('/')[0] || 'unknown';
    if (request.verb === 'create' && name === undefined) {
      return { code: 201, body: render(this.#writer.create(path, await request.body(JSON_TYPE), manager), shape) };
    }
    if (name === undefined) throw methodNotAllowed();
    switch (request.verb) {
      case 'get': {
        const state = this.#store.get(`${path.namespace}/${name}`);
        if (state === undefined) throw notFound('events', name);
        return { code: 200, body: render(state, shape) };
      }
      case 'update': {
        const { revision, created } = this.#writer.update({ ...path, name }, await request.body(JSON_TYPE), manager);
        return { code: created ? 201 : 200, body: render(revision, shape) };
      }
      case 'patch': {
        return {
          code: 200,
          body: render(this.#writer.patch({ ...path, name }, await request.body(PATCH_TYPE), manager), shape),
        };
      }
      case 'delete': {
        const { uid } = this.#writer.delete(path, name);
        const details = { name, kind: 'events', uid };
        return {
          code: 200,
          body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }),
        };
      }
      default:
        throw methodNotAllowed();
    }
  }

  #watch({ path, query, request, response, ambush }: EventRequest): undefined {
    const options = parseListOptions(query, path.group, true);
    const shape = negotiate(request, path.group, 'object');
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
    response.flushHeaders();
    const watch = new Watch(this.#store, { selection: new Selection(path, options), options, shape }, response);
    this.watches.add(watch);
    const timer = setTimeout(
      () => {
        watch.pump();
        watch.end();
      },
      1000 * (options.timeoutSeconds || DEFAULT_WATCH_SECONDS * (1 + Math.random())),
    );
    response.on('close', () => {
      clearTimeout(timer);
      this.watches.delete(watch);
    });
    if (ambush?.kind === 'stall') watch.freeze();
    else if (ambush?.kind === 'line') watch.fail(expired('watch'));
    else if (ambush?.kind === 'silent') watch.end();
    else watch.pump();
  }
}

/** What a method means for this path; a list becomes a watch by its query. */
export function verbOf(method: string, path: ApiPath, query: URLSearchParams): Verb {
  switch (method) {
    case 'GET':
      if (path.name !== undefined) return 'get';
      return path.resource === 'events' && isTrue(query.get('watch')) ? 'watch' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      throw methodNotAllowed();
  }
}

export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource';
  return new ApiError({ code: 405, reason: 'MethodNotAllowed', message, details: {} });
}

/** What the body of a request holds. Throws 400 on what is not JSON, 413 on too much of it, and 415 on another type. */
export async function readJson(request: IncomingMessage, type?: string): Promise<unknown> {
  if (type !== undefined && request.headers['content-type']?.split(';')[0]?.trim() !== type) {
    const message = `the body of the request was in an unknown format - accepted media types include: ${type}`;
    throw new ApiError({ code: 415, reason: 'UnsupportedMediaType', message });
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > 3 * 1024 * 1024) {
      const message = 'Request entity too large: limit is 3145728';
      throw new ApiError({ code: 413, reason: 'RequestEntityTooLarge', message });
    }
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}
