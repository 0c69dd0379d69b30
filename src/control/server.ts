import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Logger } from 'pino';
import { z } from 'zod';
import { type Inspected, Refusal } from './operation.ts';
import { type Argument, type OperationName, operations } from './operations.ts';
import { socketOf, tooLong } from './socket.ts';

interface ServeOptions {
  /** The journal's, which must be open: its lock is what proves that a socket found there is a dead daemon's. */
  readonly path: string;
  readonly inspected: Inspected;
  readonly log: Logger;
}

/**
 * Answers the command line on `<path>.sock`, for the daemon's own user and root. Where nobody can listen the daemon runs
 * all the same, for it has Events to deliver; its log says what the command line will miss.
 */
export async function serveControl({ path, inspected, log }: ServeOptions): Promise<AsyncDisposable> {
  const socket = socketOf(path);
  const server = createServer((request, response) => {
    answer(request, response, inspected).catch((error) => response.destroy(error));
  });
  try {
    const problem = tooLong(socket);
    if (problem !== undefined) throw new Error(problem);
    removeStale(socket);
    await listen(server, socket);
  } catch (error) {
    log.warn(
      { why: messageOf(error) },
      'the command line cannot reach this daemon: status and its like work on its stopped journal only',
    );
  }
  return {
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function removeStale(socket: string): void {
  const there = lstatSync(socket, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw new Error(`${socket} is in the way, and is no socket`);
  rmSync(socket, { force: true });
}

/** Made with its mode, rather than given it afterwards, so that it is open to nobody else for a moment. */
async function listen(server: Server, socket: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    // It binds before it returns.
    server.listen(socket);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}

/** POST /v1/<operation> with its argument; one line of JSON for each item, and a last one if it fails. */
async function answer(request: IncomingMessage, response: ServerResponse, inspected: Inspected): Promise<void> {
  const name = /^\/v1\/(\w+)$/.exec(request.url ?? '')?.[1];
  if (name === undefined || !isOperation(name)) {
    response.writeHead(404).end('this daemon is of another version, and does not know that\n');
    return;
  }
  const argument = operations[name].argument.safeParse(parseJson(await text(request)));
  if (!argument.success) {
    response.writeHead(400).end(`${z.prettifyError(argument.error)}\n`);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  try {
    for await (const item of answerOf(name, argument.data, inspected)) {
      if (response.destroyed) return;
      if (!response.write(`${JSON.stringify({ item })}\n`))
        await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
    response.end();
  } catch (error) {
    const kind = error instanceof Refusal ? 'refused' : 'failed';
    response.end(`${JSON.stringify({ [kind]: messageOf(error) })}\n`);
  }
}

function answerOf<N extends OperationName>(name: N, argument: Argument<N>, inspected: Inspected) {
  return operations[name].answer(inspected, argument);
}

function isOperation(name: string): name is OperationName {
  return Object.hasOwn(operations, name);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
