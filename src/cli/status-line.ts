import { setInterval } from 'node:timers/promises';
import type { Daemon } from '../daemon.ts';
import type { Terminal } from './terminal.ts';

const EVERY_MS = 500;

/** Events in, delivered and lag per route, brokers up or down: on one line, twice a second, while somebody looks. */
export async function keepStatusLine(daemon: Daemon, terminal: Terminal, signal: AbortSignal): Promise<void> {
  if (!terminal.interactive) return;
  try {
    for await (const _ of setInterval(EVERY_MS, undefined, { signal })) terminal.status(await statusLine(daemon));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    terminal.status('');
  }
}

async function statusLine(daemon: Daemon): Promise<string> {
  const running = daemon.routes;
  const { records } = await daemon.journal.stats();
  const watched = daemon.streams.every(({ up }) => up);
  const parts = [`${watched ? '●' : '○ waiting for the API server ·'} ${count(records)} events`];
  for (const { route, counters, pending, lag } of await daemon.journal.routes()) {
    const known = running.get(route);
    if (known === undefined) continue;
    const up = known.status.connection.kind === 'up';
    const held = known.status.stopped ?? known.status.parked[0]?.verdict;
    const rest = [
      lag + pending > 0 && `${count(lag + pending)} behind`,
      counters.dead > 0 && `${count(counters.dead)} dead`,
    ];
    const words = [`${up ? '✓' : '✗'} ${route} ${count(counters.delivered)}`, ...rest.filter((part) => part !== false)];
    parts.push(held ? `${words.join(', ')} (${held.reason})` : words.join(', '));
  }
  return parts.join('  ·  ');
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
