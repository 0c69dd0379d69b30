/** What the daemon says of itself while it runs: its counters, and how much memory it takes. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Counters } from '../../src/journal/record.ts';
import { metricsAt } from '../main-job/daemon-process.ts';

/** The counters of the promise, and what waits. */
export interface RouteCounters extends Counters {
  readonly pending: number;
  /** Records that the cursor has not passed. */
  readonly lag: number;
}

export interface Scrape {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly rssMiB: number;
  readonly routes: ReadonlyMap<string, RouteCounters>;
}

const EVERY_MS = 200;
const NAMES: Readonly<Record<keyof RouteCounters, string>> = {
  read: 'read_total',
  delivered: 'delivered_total',
  filtered: 'filtered_total',
  limited: 'limited_total',
  dead: 'dead_total',
  expired: 'expired_total',
  pending: 'pending',
  lag: 'lag_records',
};

/** Looks at the daemon five times a second for as long as it is not disposed of; a daemon that is away is passed over. */
export class Scraper implements AsyncDisposable {
  readonly scrapes: Scrape[] = [];
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor(port: number, pid: () => number | undefined) {
    this.#running = this.#run(port, pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(port: number, pid: () => number | undefined): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const text = await metricsAt(port);
      const routes = routesIn(text);
      if (routes.size > 0) this.scrapes.push({ at: Date.now(), rssMiB: await rssMiB(pid()), routes });
      await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** By route; empty where the text is not a daemon's. */
export function routesIn(text: string): ReadonlyMap<string, RouteCounters> {
  const values = new Map<string, number>();
  for (const [, name = '', route = '', value] of text.matchAll(
    /^kube_fanout_route_(\w+)\{route="([^"]+)"\} (\S+)$/gm,
  )) {
    values.set(`${route} ${name}`, Number(value));
  }
  const of = (route: string, name: keyof RouteCounters) => values.get(`${route} ${NAMES[name]}`) ?? Number.NaN;
  const routes = new Set(Array.from(values.keys(), (key) => key.split(' ', 1)[0] ?? ''));
  return new Map(
    Array.from(routes, (route) => [
      route,
      {
        read: of(route, 'read'),
        delivered: of(route, 'delivered'),
        filtered: of(route, 'filtered'),
        limited: of(route, 'limited'),
        dead: of(route, 'dead'),
        expired: of(route, 'expired'),
        pending: of(route, 'pending'),
        lag: of(route, 'lag'),
      },
    ]),
  );
}

/** 0 for a process that is gone. */
async function rssMiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
