import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { keepStatusLine } from '../../src/cli/status-line.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import type { Daemon } from '../../src/daemon.ts';
import type { Logger } from '../../src/observe/log.ts';

const CLEARED = '\r\x1b[2K';
const plain = (text: string) => stripVTControlCharacters(text.replaceAll(CLEARED, '<'));

describe('the status line', () => {
  it('says what the journal holds, how far each route is, and which one waits for a subscriber', async () => {
    const { terminal, written } = aTerminal(200);
    using _line = keepStatusLine(aDaemon(), terminal);
    await vi.waitFor(() => expect(plain(written())).toContain('7 in the journal'), 5_000);
    const text = plain(written());
    expect(text).toContain('● 7 in the journal');
    expect(text).toContain('✓ edge 1,234, 2 dead');
    expect(text).toContain('… here 0, 7 behind, no subscriber yet');
    expect(text).toContain('✗ away 5, 2 behind');
  });

  it('is gone at once at the end, even if the journal never answers', async () => {
    const { terminal, written } = aTerminal();
    const asked = Promise.withResolvers<void>();
    const stats = () => {
      asked.resolve();
      return new Promise<never>(() => {});
    };
    const line = keepStatusLine(aDaemon({ stats }), terminal);
    await asked.promise;
    line[Symbol.dispose]();
    terminal.say('the end');
    expect(written()).toBe('the end\n');
  });

  it('leaves it to the daemon to say that the journal has failed', async () => {
    const { terminal, written } = aTerminal();
    let asked = 0;
    const stats = async () => {
      asked += 1;
      throw new Error('the journal is closed');
    };
    using _line = keepStatusLine(aDaemon({ stats }), terminal);
    await vi.waitFor(() => expect(asked).toBeGreaterThan(1), 5_000);
    expect(written()).toBe('');
  });
});

describe('a terminal', () => {
  it('scrolls what is said above the status line, and leaves none behind', () => {
    const { terminal, written } = aTerminal();
    terminal.status('status');
    terminal.say('words');
    terminal.status('');
    expect(plain(written())).toBe(`<status<words\nstatus<`);
  });

  it('draws the status line again, for Events on standard output may have replaced it', () => {
    const { terminal, written } = aTerminal();
    terminal.status('status');
    terminal.status('status');
    expect(plain(written())).toBe(`<status<status`);
  });

  it('cuts the status line to its width', () => {
    const { terminal, written } = aTerminal();
    terminal.status('x'.repeat(200));
    expect(plain(written())).toBe(`<${'x'.repeat(79)}`);
  });

  it('says everything through the log, once there is one for programs', () => {
    const { terminal, written } = aTerminal();
    const entries: string[] = [];
    terminal.sayThrough({
      info: (text: string) => entries.push(`info ${text}`),
      fatal: (text: string) => entries.push(`fatal ${text}`),
    } as unknown as Logger);
    terminal.say('stopping');
    terminal.say('no disk', 'fatal');
    expect(entries).toEqual(['info stopping', 'fatal no disk']);
    expect(written()).toBe('');
  });

  it('outlives whoever reads it', async () => {
    const { terminal, out } = aTerminal();
    const failed = new Promise((resolve) => out.once('error', resolve));
    out.destroy(new Error('EPIPE'));
    await failed;
    expect(() => terminal.say('nobody hears it')).not.toThrow();
  });
});

function aTerminal(columns = 80) {
  const out = Object.assign(new PassThrough(), { isTTY: true, columns });
  let text = '';
  out.on('data', (chunk) => {
    text += chunk;
  });
  const terminal = new Terminal(out);
  return { terminal, out, written: () => text };
}

/** As much of a daemon as the status line looks at. */
function aDaemon(journal: object = {}): Daemon {
  const route = (name: string, delivered: number, rest: { dead?: number; lag?: number } = {}) => ({
    route: name,
    counters: { delivered, dead: rest.dead ?? 0 },
    pending: 0,
    lag: rest.lag ?? 0,
  });
  const running = (broker: string, kind: string) => ({ broker, status: { connection: { kind }, parked: [] } });
  const daemon = {
    streams: [{ up: true }],
    served: new Map([['inside', {}]]),
    routes: new Map([
      ['edge', running('mqtt', 'up')],
      ['here', running('inside', 'connecting')],
      ['away', running('kafka', 'down')],
    ]),
    journal: {
      stats: async () => ({ records: 7 }),
      routes: async () => [
        route('edge', 1234, { dead: 2 }),
        route('here', 0, { lag: 7 }),
        route('away', 5, { lag: 2 }),
      ],
      ...journal,
    },
  };
  return daemon as unknown as Daemon;
}
