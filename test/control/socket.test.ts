import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { type Inspection, inspectionOf } from '../../src/control/inspection.ts';
import { serveControl } from '../../src/control/server.ts';
import { openStopped } from '../../src/journal/open.ts';
import { appendLive, open, type Place, routeName, temporaryPlace } from '../journal/fixture.ts';

vi.setConfig({ testTimeout: 30_000 });
const log = pino({ level: 'silent' });
const execute = promisify(execFile);

/** A journal with ten records and one route, and whoever answers for it. */
async function daemonOn(place: Pick<Place, 'path'>, warn?: (text: string) => void) {
  const stack = new AsyncDisposableStack();
  const journal = stack.use(await open(place));
  await journal.openRoute(routeName('a'), { startFrom: 'oldest', atQuota: 'expire' });
  await appendLive(journal, 1, 10);
  const said = pino({ level: 'warn' }, { write: warn ?? (() => {}) });
  stack.use(
    await serveControl({
      path: place.path,
      inspected: { journal, running: { routes: new Map(), streams: [] } },
      log: said,
    }),
  );
  return stack;
}

async function statusOf(inspection: Inspection) {
  const items = await Array.fromAsync(inspection.ask('status', {}));
  expect(items).toHaveLength(1);
  return items[0];
}

async function ask(path: string) {
  await using inspection = await inspectionOf(path, log);
  return await statusOf(inspection);
}

test('a running daemon and the journal that it leaves behind say the same', async () => {
  await using place = await temporaryPlace();
  const daemon = await daemonOn(place);
  const while_ = await ask(place.path);
  expect(while_).toMatchObject({ running: true, journal: { records: 10 }, routes: [{ route: 'a', lag: 10 }] });
  await daemon.disposeAsync();
  const { quotaBytes: _, bytes: __, disk: ___, ...journal } = while_?.journal ?? {};
  // Time goes on meanwhile.
  const routes = while_?.routes.map(({ lagSeconds, ...route }) => ({ ...route, lagSeconds: expect.any(Number) }));
  expect(await ask(place.path)).toMatchObject({ ...while_, running: false, journal, routes });
});

test('only the user of the daemon may ask, and the socket goes with the daemon', async () => {
  await using place = await temporaryPlace();
  const daemon = await daemonOn(place);
  const { mode } = await lstat(`${place.path}.sock`);
  expect(mode & 0o777).toBe(0o600);
  await daemon.disposeAsync();
  await expect(lstat(`${place.path}.sock`)).rejects.toThrow('ENOENT');
});

test.skipIf(process.getuid?.() !== 0)('another user is refused by the system', async () => {
  await using place = await temporaryPlace();
  await using _daemon = await daemonOn(place);
  await chmod(place.directory, 0o755);
  // It becomes nobody when it runs: Node may lie where nobody may look.
  const script = `process.setgroups([]); process.setgid(65534); process.setuid(65534);
    require('node:net').connect(${JSON.stringify(`${place.path}.sock`)})
    .on('connect', () => console.log('connected')).on('error', ({ code }) => console.log(code))`;
  const { stdout } = await execute(process.execPath, ['-e', script]);
  expect(stdout.trim()).toBe('EACCES');
});

test('the socket that a killed daemon has left does no harm, neither to who asks nor to the next daemon', async () => {
  await using place = await temporaryPlace();
  await (await daemonOn(place)).disposeAsync();
  const script = `require('node:net').createServer().listen(${JSON.stringify(`${place.path}.sock`)}, () => console.log('up'))`;
  const killed = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(killed.stdout, 'data');
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect((await lstat(`${place.path}.sock`)).isSocket()).toBe(true);
  expect(await ask(place.path)).toMatchObject({ running: false });
  await using _next = await daemonOn(place);
  expect(await ask(place.path)).toMatchObject({ running: true });
});

test('a file in the place of the socket is not touched, and the daemon runs', async () => {
  await using place = await temporaryPlace();
  await writeFile(`${place.path}.sock`, 'precious');
  const said: string[] = [];
  await using _daemon = await daemonOn(place, (line) => said.push(line));
  expect((await stat(`${place.path}.sock`)).size).toBe(8);
  expect(said.join()).toContain('is in the way');
});

test('a path that is too long for a socket stops no daemon, and both sides say what to do', async () => {
  await using place = await temporaryPlace();
  const path = join(place.directory, `${'long'.repeat(25)}.db`);
  const said: string[] = [];
  await using _daemon = await daemonOn({ path }, (line) => said.push(line));
  expect(said.join()).toContain('give journal.path a shorter one');
  await expect(ask(path)).rejects.toThrow(/locked by pid \d+ .* give journal.path a shorter one/);
});

test('a journal that somebody has open who does not answer is refused, and he is named', async () => {
  await using place = await temporaryPlace();
  await using _silent = await open(place);
  await expect(ask(place.path)).rejects.toThrow(new RegExp(`locked by pid ${process.pid} .* nobody answers`));
});

test('no journal is made by asking for one', async () => {
  await using place = await temporaryPlace();
  await expect(ask(place.path)).rejects.toThrow(`there is no journal at ${place.path}`);
  await expect(lstat(place.path)).rejects.toThrow('ENOENT');
});

test('looking at a stopped journal deletes nothing of it, however long', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] });
  try {
    await using place = await temporaryPlace();
    await (await daemonOn(place)).disposeAsync();
    const opened = await openStopped(place.path, log);
    if ('busy' in opened) throw new Error(opened.busy);
    await using journal = opened.journal;
    vi.advanceTimersByTime(7 * 86_400_000);
    expect((await journal.stats()).records).toBe(10);
    expect(await journal.routes()).toMatchObject([{ route: 'a', lag: 10 }]);
  } finally {
    vi.useRealTimers();
  }
});

test.each([
  ['/v1/frobnicate', '{}', 404, 'another version'],
  ['/v1/status', '{"verbose": true}', 400, 'verbose'],
  ['/v1/status', 'no JSON', 400, 'expected object'],
])('%s with %s is answered by %i', async (path, body, code, words) => {
  await using place = await temporaryPlace();
  await using _daemon = await daemonOn(place);
  const sent = request({ socketPath: `${place.path}.sock`, path, method: 'POST' });
  sent.end(body);
  const [response] = await once(sent, 'response');
  expect(response.statusCode).toBe(code);
  expect(await text(response)).toContain(words);
});
