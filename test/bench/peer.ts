/** A process of its own that does on demand what one benchmark needs done beside the daemon: load, or a raw client. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a process does, by name. Each takes one argument and gives one answer, both as JSON. */
export type Calls = Readonly<Record<string, (argument: never) => unknown>>;

interface Request {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

type Waiting = PromiseWithResolvers<unknown>;

export class Peer<Served extends Calls> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(new Error(reply.error));
      else waiting?.resolve(reply.result);
    });
    child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`it ended with ${code ?? signal}`));
      this.#waiting.clear();
    });
  }

  /** Runs a module that calls `serve`. It ends with whoever has started it, for then its channel closes. */
  static async start<Served extends Calls>(module: URL, flags: readonly string[] = []): Promise<Peer<Served>> {
    const child = fork(fileURLToPath(module), { execArgv: [...flags], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    await once(child, 'spawn');
    return new Peer(child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async call<Name extends keyof Served & string>(
    name: Name,
    argument: Parameters<Served[Name]>[0],
  ): Promise<Awaited<ReturnType<Served[Name]>>> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    const request: Request = { id, name, argument };
    this.#child.send(request);
    // Both ends are given the same calls.
    return (await waiting.promise) as Awaited<ReturnType<Served[Name]>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

/** The other end: answers until nobody is there to ask. */
export function serve(calls: Calls): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, argument }: Request) => {
    const answer = await run(calls, name, argument).then(
      (result) => ({ id, result }),
      (error: unknown) => ({ id, error: error instanceof Error ? `${name}: ${error.message}` : String(error) }),
    );
    process.send?.(answer);
  });
}

async function run(calls: Calls, name: string, argument: unknown): Promise<unknown> {
  const call = calls[name];
  if (call === undefined) throw new Error(`nothing is called ${name}`);
  return call(argument as never);
}
