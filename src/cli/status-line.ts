import type { Daemon } from '../daemon.ts';
import type { Terminal } from './terminal.ts';

const EVERY_MS = 500;

/**
 * What the journal holds, delivered and lag per route, brokers up or down: on one line, twice a second, while somebody
 * looks. Nobody waits for it: it asks a journal that may be closing or have failed, and of that the daemon itself tells.
 */
export function keepStatusLine(daemon: Daemon, terminal: Terminal): Disposable {
  let over = !terminal.interactive;
  let looking = false;
  const look = async () => {
    if (over || looking) return;
    looking = true;
    const line = await statusLine(daemon).catch(() => undefined);
    looking = false;
    if (!over && line !== undefined) terminal.status(line);
  };
  const timer = terminal.interactive ? setInterval(look, EVERY_MS) : undefined;
  return {
    [Symbol.dispose]() {
      over = true;
      clearInterval(timer);
      terminal.status('');
    },
  };
}

async function statusLine(daemon: Daemon): Promise<string> {
  const running = daemon.routes;
  const { records } = await daemon.journal.stats();
  const watched = daemon.streams.every(({ up }) => up);
  const parts = [`${watched ? '●' : '○ waiting for the API server ·'} ${count(records)} in the journal`];
  for (const { route, counters, pending, lag } of await daemon.journal.routes()) {
    const known = running.get(route);
    if (known === undefined) continue;
    const { broker, status } = known;
    const { kind } = status.connection;
    const held = status.stopped ?? status.parked[0]?.verdict;
    const rest = [
      lag + pending > 0 && `${count(lag + pending)} behind`,
      counters.dead > 0 && `${count(counters.dead)} dead`,
      kind === 'connecting' && daemon.served.has(broker) && 'no subscriber yet',
    ];
    const words = [`${SIGNS[kind]} ${route} ${count(counters.delivered)}`, ...rest.filter((part) => part !== false)];
    parts.push(held ? `${words.join(', ')} (${held.reason})` : words.join(', '));
  }
  return parts.join('  ·  ');
}

const SIGNS = { connecting: '…', up: '✓', down: '✗' } as const;

function count(n: number): string {
  return n.toLocaleString('en-US');
}
