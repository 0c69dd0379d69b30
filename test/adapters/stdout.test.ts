import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import pino from 'pino';
import { expect, test } from 'vitest';
import { lineAdapter } from '../../adapters/stdout.ts';
import { ConnectionLost } from '../../src/adapter.ts';
import { message } from '../contract/message.ts';

const context = { clientId: 'test', log: pino({ level: 'silent' }) };
const never = new AbortController().signal;

async function connected(stream: Writable & { isTTY?: boolean }, format: 'json' | 'text' = 'json') {
  const adapter = await lineAdapter(() => stream).create({ format }, {}, context);
  await adapter.connect(never);
  return adapter;
}

test('a reader that has left is a lost connection, and the next connect says so', async () => {
  const reader = spawn('sh', ['-c', 'exec 0<&-; echo left; exec sleep 60']);
  try {
    await once(reader.stdout, 'data');
    const adapter = await connected(reader.stdin);
    const answer = adapter.publish([message({ destination: 'stdout' })], never);
    await expect(answer).rejects.toBeInstanceOf(ConnectionLost);
    await adapter.close();
    await expect(connected(reader.stdin)).rejects.toThrow(/pipe is closed/);
  } finally {
    reader.kill();
  }
});

test('a reader that is slow holds the outcome back until it has taken the lines', async () => {
  const taken = Promise.withResolvers<void>();
  const slow = new Writable({ write: (_chunk, _encoding, done) => void taken.promise.then(() => done()) });
  const adapter = await connected(slow);
  const answer = adapter.publish([message({ destination: 'stdout' })], never);
  const first = await Promise.race([answer, new Promise((resolve) => setImmediate(resolve, 'still waiting'))]);
  expect(first).toBe('still waiting');
  taken.resolve();
  expect(await answer).toEqual([{ kind: 'delivered', receipt: { line: 1 } }]);
});

test('as text, an Event is one line for a person, and what a pod wrote cannot move the cursor', async () => {
  const stream = new PassThrough();
  const adapter = await connected(stream, 'text');
  const data = { note: 'Back-off\nrestarting\u001b[2J\u202eeb ot', count: 3 };
  await adapter.publish([message({ destination: 'stdout', key: 'Pod/web/a\u009bb', data })], never);
  expect(String(stream.read())).toBe('03:04:05 Warning Pod/web/a b BackOff: Back-off restarting [2J eb ot (×3)\n');
});

test('on a terminal, a line takes the place of a status line', async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true });
  const adapter = await connected(stream, 'text');
  await adapter.publish([message({ destination: 'stdout', data: { note: 'n' } })], never);
  expect(String(stream.read()).startsWith('\r\u001b[2K')).toBe(true);
});
