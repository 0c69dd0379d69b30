/** The daemon under measurement: as its image runs it, on a journal on this disk. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, type Program } from '../backends/process.ts';
import { routesIn } from '../faults/scrape.ts';
import { DAEMON } from '../faults/world.ts';
import { metricsAt, startDaemonProcess, watching } from '../main-job/daemon-process.ts';

export interface DaemonSpec {
  /** Where the load is. */
  readonly server: string;
  readonly brokers: object;
  readonly routes: readonly object[];
  readonly journal?: object;
  /** For Node, behind those of the image. */
  readonly flags?: readonly string[];
  /** `now` unless given. */
  readonly startFrom?: 'now' | 'oldest';
}

const POLL_MS = 20;
/** To be asked of a thousand routes takes the daemon a while: so many times that, it is left alone, but no longer. */
const POLL_SHARE = 5;
const POLL_MOST_MS = 2_000;
const WITHIN_MS = 600_000;

export class Daemon implements AsyncDisposable {
  readonly #scope: AsyncDisposableStack;
  readonly #port: number;
  readonly program: Program;
  readonly directory: string;

  private constructor(scope: AsyncDisposableStack, started: { port: number; program: Program; directory: string }) {
    this.#scope = scope;
    this.#port = started.port;
    this.program = started.program;
    this.directory = started.directory;
  }

  /** Settles when it watches. */
  static async start(spec: DaemonSpec): Promise<Daemon> {
    const { server, brokers, routes, journal, flags = [], startFrom = 'now' } = spec;
    await using scope = new AsyncDisposableStack();
    const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-bench-'))).path;
    const port = await freePort();
    const program = scope.use(
      await startDaemonProcess({
        ...{ directory, brokers, routes, logLevel: 'info' },
        program: {
          ...DAEMON,
          args: [...DAEMON.args.slice(0, -1), ...flags, process.env.BENCH_DAEMON ?? DAEMON.args.at(-1) ?? ''],
        },
        kube: { server, ca: '', token: 'any' },
        source: { startFrom },
        more: {
          metrics: { host: '127.0.0.1', port },
          journal: { path: join(directory, 'journal.db'), ...journal },
        },
      }),
    );
    const daemon = new Daemon(scope.move(), { port, program, directory });
    await watching(port);
    return daemon;
  }

  get pid(): number {
    return this.program.pid ?? 0;
  }

  /** Records that each of the routes has done with at least: delivered, or passed over by its filter. */
  async done(routes: readonly string[]): Promise<number> {
    const counters = routesIn(await metricsAt(this.#port));
    return Math.min(
      ...routes.map((route) => {
        const its = counters.get(route);
        return its === undefined ? 0 : its.delivered + its.filtered;
      }),
    );
  }

  /** Settles when each of the routes has done with so many since it began; asks so rarely that it costs little. */
  async until(routes: readonly string[], count: number, pollMs = POLL_MS): Promise<void> {
    const deadline = performance.now() + WITHIN_MS;
    while (true) {
      const began = performance.now();
      const done = await this.done(routes);
      if (done >= count) return;
      if (performance.now() > deadline) throw new Error(`${routes} have done ${done} of ${count} in ten minutes`);
      const pause = Math.min(POLL_MOST_MS, POLL_SHARE * (performance.now() - began));
      await sleep(Math.max(pollMs, pause));
    }
  }

  get journal(): string {
    return join(this.directory, 'journal.db');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync();
  }
}
