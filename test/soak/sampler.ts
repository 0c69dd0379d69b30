/** Looks at the daemon every two seconds for as long as it is not disposed of; one that is away is passed over. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { routesIn } from '../faults/scrape.ts';
import type { Sample } from './judge.ts';
import type { Stage } from './stage.ts';

const EVERY_MS = 2_000;
const WITHIN_MS = 5_000;
const MIB = 1024 * 1024;
/** The event loop's delay is measured by a timer of so much. */
const TIMER_MS = 10;

export class Sampler implements AsyncDisposable {
  readonly samples: Sample[] = [];
  readonly #stage: Stage;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  readonly #pids: number[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const sample = await this.#look().catch(() => undefined);
      if (sample !== undefined) this.samples.push(sample);
      await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Rejects when the daemon does not answer, or ends meanwhile. */
  async #look(): Promise<Sample | undefined> {
    const { daemon, metricsPort, journal } = this.#stage;
    const { pid } = daemon;
    if (pid === undefined) return undefined;
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(WITHIN_MS)]);
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { signal })).text();
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const handles = (await readdir(`/proc/${pid}/fd`)).length;
    const [file, wal] = await Promise.all([journal, `${journal}-wal`].map((path) => stat(path)));
    return {
      at: Date.now(),
      life: this.#lifeOf(pid),
      rssMiB: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024,
      heapMiB: metric(text, 'nodejs_heap_size_used_bytes') / MIB,
      handles,
      journalMiB: (file?.size ?? 0) / MIB,
      walMiB: (wal?.size ?? 0) / MIB,
      loopP99Ms: Math.max(0, metric(text, 'nodejs_eventloop_lag_p99_seconds') * 1_000 - TIMER_MS),
      loopMaxMs: Math.max(0, metric(text, 'nodejs_eventloop_lag_max_seconds') * 1_000 - TIMER_MS),
      routes: routesIn(text),
    };
  }

  #lifeOf(pid: number): number {
    if (!this.#pids.includes(pid)) this.#pids.push(pid);
    return this.#pids.indexOf(pid);
  }
}

function metric(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
}
