import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { authorize, type Tokens } from './access.ts';
import { type ApiPath, parseApiPath } from './api-path.ts';
import { answerControl } from './control.ts';
import { DISCOVERY } from './discovery.ts';
import { Emissions } from './emissions.ts';
import { type Answer, EventsApi, methodNotAllowed, readJson, verbOf } from './events-api.ts';
import { Faults } from './faults.ts';
import { type LoadOptions, type LoadReport, load } from './load.ts';
import { Namespaces } from './namespaces.ts';
import { Recorder } from './recorder.ts';
import { SCENARIOS } from './scenarios.ts';
import { ApiError, unknownPath } from './status.ts';
import { DEFAULT_LIMITS, type Limits, Store } from './store.ts';

export interface SimulatorOptions {
  /** 127.0.0.1 unless said otherwise. */
  readonly host?: string;
  /** Any free one unless said otherwise. */
  readonly port?: number;
  /** Bearer tokens and whose they are; without them nobody is asked. */
  readonly tokens?: Tokens;
  readonly limits?: Partial<Limits>;
  /** The first resourceVersion, 1000 unless said otherwise. */
  readonly firstResourceVersion?: number;
}

export interface PlayOptions {
  /** `shop` unless said otherwise. */
  readonly namespace?: string | undefined;
  /** How many times faster than in a real cluster: 10 unless said otherwise. */
  readonly speed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Binds the address and serves until it is disposed of. Rejects when the address cannot be had. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  await using scope = new AsyncDisposableStack();
  const simulator = scope.use(new Simulator(options));
  await simulator.listen(options.host ?? '127.0.0.1', options.port ?? 0);
  scope.move();
  return simulator;
}

/**
 * An API server that has Events and namespaces and nothing else, in memory, with the semantics of list and watch that a
 * real one has: one suite holds both to them (test/simulator/list-watch-contract.ts).
 */
export class Simulator implements AsyncDisposable {
  /** Every revision of an Event that was written: what a subscriber must have got. */
  readonly emitted: Emissions;
  readonly faults: Faults;
  readonly #store: Store;
  readonly #namespaces: Namespaces;
  readonly #events: EventsApi;
  readonly #tokens: Tokens | undefined;
  readonly #server: Server;
  readonly #stop = new AbortController();
  readonly #sweep: NodeJS.Timeout;
  readonly #running = new Set<Promise<unknown>>();
  #runs = 0;
  #pumping = false;

  constructor({ limits, firstResourceVersion = 1000, tokens }: SimulatorOptions) {
    this.#store = new Store({ ...DEFAULT_LIMITS, ...limits }, firstResourceVersion, Date.now);
    this.emitted = new Emissions((count) => this.#store.uidOf(count));
    this.#store.onRevision = (revision) => {
      this.emitted.record(revision);
      this.#pumpSoon();
    };
    this.#namespaces = new Namespaces(this.#store);
    this.#events = new EventsApi(this.#store, this.#namespaces);
    this.faults = new Faults(this.#store, this.#events.watches);
    this.#tokens = tokens;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#sweep = setInterval(() => this.#store.sweep(), 1000).unref();
  }

  get address(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  get resourceVersion(): string {
    return String(this.#store.revision);
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve());
    });
  }

  /** Writes Events at a constant rate until the time is over or the signal aborts, and says how many they were. */
  load(options: LoadOptions & { readonly signal?: AbortSignal }): Promise<LoadReport> {
    const signal = AbortSignal.any([this.#stop.signal, ...(options.signal ? [options.signal] : [])]);
    return load(this.#store, this.#namespaces, { ...options, signal });
  }

  /** Plays a scenario to its end, or until the signal aborts. */
  async play(name: string, { namespace = 'shop', speed = 10, signal }: PlayOptions = {}): Promise<void> {
    const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
    if (scenario === undefined) {
      throw new Error(`no scenario is called ${name}: there are ${Object.keys(SCENARIOS).join(', ')}`);
    }
    const recorder = new Recorder(this.#store, this.#namespaces, `run ${++this.#runs}`);
    const either = AbortSignal.any([this.#stop.signal, ...(signal ? [signal] : [])]);
    for (const { after, occurrence } of scenario.steps(namespace)) {
      await wait((after * 1000) / speed, undefined, { signal: either }).catch(() => {});
      if (either.aborted) return;
      recorder.record(occurrence);
    }
  }

  /** Waits for something that runs on its own, such as a scenario, when it is disposed of; how it went is not told. */
  start(running: Promise<unknown>): void {
    const settled: Promise<unknown> = Promise.allSettled([running]).then(() => this.#running.delete(settled));
    this.#running.add(settled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#sweep);
    await Promise.all(this.#running);
    this.faults.closeWatches();
    await new Promise(setImmediate);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** One pass over the watches for all that was written in this turn of the event loop. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      for (const watch of this.#events.watches) watch.pump();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    try {
      const answer = await this.#answer(request, response);
      if (answer !== undefined) send(response, answer);
    } catch (error) {
      const { status } =
        error instanceof ApiError
          ? error
          : new ApiError({ code: 500, reason: 'InternalError', message: `Internal error occurred: ${error}` });
      const wait = status.details?.retryAfterSeconds;
      if (wait !== undefined) response.setHeader('retry-after', String(wait));
      send(response, { code: status.code, body: JSON.stringify(status) });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://simulator');
    const { method = 'GET' } = request;
    const body = (type?: string) => readJson(request, type);
    const discovered = Object.hasOwn(DISCOVERY, path) ? DISCOVERY[path] : undefined;
    if (discovered !== undefined) {
      return { code: 200, body: typeof discovered === 'string' ? discovered : JSON.stringify(discovered) };
    }
    const named = parseApiPath(path);
    if (named === null) {
      const answer = await answerControl(this, { method, path, query, body });
      return answer ?? { code: 404, body: '404 page not found' };
    }
    if (named === undefined) throw unknownPath();
    const verb = verbOf(method, named, query);
    authorize(this.#tokens, request.headers.authorization, named, verb);
    const ambush = this.faults.take(verb);
    if (ambush?.kind === 'answer') throw ambush.error;
    if (named.resource === 'namespaces') return this.#namespace(named, verb, body);
    return this.#events.answer({ path: named, verb, query, request, response, ambush, body });
  }

  async #namespace({ name }: ApiPath, verb: string, body: () => Promise<unknown>): Promise<Answer> {
    if (verb === 'get' && name !== undefined) return json(200, this.#namespaces.get(name));
    if (verb === 'list') return json(200, this.#namespaces.list());
    if (verb !== 'create' || name !== undefined) throw methodNotAllowed();
    const sent = Object(Object(await body()).metadata);
    return json(201, this.#namespaces.create(typeof sent.name === 'string' ? sent.name : ''));
  }
}

function json(code: number, object: object): Answer {
  return { code, body: JSON.stringify(object) };
}

function send(response: ServerResponse, { code, body }: Answer): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const type = body.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8';
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
