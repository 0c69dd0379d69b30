import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a program is started, and how one can tell that it serves. */
export interface ProgramSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Standard output and error of every start are appended to this file. */
  readonly log: string;
  /** Settles when the program serves, rejects while it does not; tried until it settles or two minutes are over. */
  readonly ready: (signal: AbortSignal) => Promise<unknown>;
}

const GRACE_MS = 10_000;
/** Long, for a JVM on a machine that is busy with other things. */
const WITHIN_MS = 120_000;
const POLL_MS = 25;

/**
 * Children must not outlive the tests. An orderly exit kills them by the event; a runner that is itself killed runs no
 * handler, so on Linux the kernel is asked to kill the child when its parent is gone.
 */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program that a test may kill, pause and start again, always with the same ports and data. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly log: string;
  readonly #spec: ProgramSpec;
  #child: ChildProcess | undefined;
  #exitCode: number | null | undefined;

  private constructor(spec: ProgramSpec) {
    this.#spec = spec;
    this.name = spec.name;
    this.log = spec.log;
  }

  static async start(spec: ProgramSpec): Promise<Program> {
    const program = new Program(spec);
    await program.start();
    return program;
  }

  /** Of its last end; null when a signal ended it, undefined while it runs. */
  get exitCode(): number | null | undefined {
    return this.#exitCode;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it again after `kill` or `stop`; settles when it serves. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already, as process ${this.pid}.`);
    await this.spawn();
    await this.ready();
  }

  /** Settles when it has ended, by whatever cause. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) await once(child, 'exit');
  }

  /** Starts it without waiting until it serves, for tests of what happens meanwhile; `more` joins its environment. */
  async spawn(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const { command, args, env, log } = this.#spec;
    const linux = process.platform === 'linux';
    const file = linux ? 'setpriv' : command;
    await using output = await open(log, 'a');
    const child = spawn(file, linux ? ['--pdeathsig', 'KILL', '--', command, ...args] : args, {
      stdio: ['ignore', output.fd, output.fd],
      env: { ...process.env, ...env, ...more },
      // A Ctrl-C is for who has started it, who may still need it; the kernel ends it with its parent all the same.
      detached: linux,
    });
    await once(child, 'spawn');
    this.#child = child;
    this.#exitCode = undefined;
    running.add(child);
    child.once('exit', (code) => {
      running.delete(child);
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#exitCode = code;
    });
  }

  async ready(): Promise<void> {
    const ended = () => this.#child === undefined;
    await until(this.#spec.ready, ended).catch(async (cause) => {
      const what = ended() ? 'ended instead of starting' : 'does not serve';
      const tail = (await readFile(this.log, 'utf8')).split('\n').slice(-20).join('\n');
      throw new Error(`${this.name} ${what}. The end of its log ${this.log}:\n${tail}`, { cause });
    });
  }

  /** Ends it at once, as a power cut would, and settles when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  /** Ends it in an orderly way, and by SIGKILL where that takes more than 10 s. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await this.kill('SIGTERM');
    clearTimeout(timer);
  }

  /** One that it goes on after, such as that to read its configuration again. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Freezes it: its connections stay open and answer nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.stop();
  }
}

/** Tries again until `attempt` settles, `hopeless` says so, or two minutes are over; then throws what it threw last. */
export async function until(
  attempt: (signal: AbortSignal) => Promise<unknown>,
  hopeless: () => boolean = () => false,
): Promise<void> {
  const deadline = AbortSignal.timeout(WITHIN_MS);
  for (;;) {
    try {
      await attempt(deadline);
      return;
    } catch (cause) {
      if (deadline.aborted || hopeless()) throw cause;
      await sleep(POLL_MS);
    }
  }
}

const given = new Set<number>();

/**
 * A port on 127.0.0.1 that nobody listens on, and that this process was not given before. It lies below those that the
 * kernel takes for outgoing connections: one of these could take it while its owner is killed and starts again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (given.has(port)) continue;
    given.add(port);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').catch(() => undefined);
    if (free === undefined) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
