import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { Refusal } from './operation.ts';
import { type Argument, type Item, type OperationName, operations } from './operations.ts';

const line = z.union([
  z.object({ item: z.unknown() }),
  z.object({ refused: z.string() }),
  z.object({ failed: z.string() }),
]);

/** Whether somebody listens; a socket that a killed daemon has left behind is as good as none. */
export async function isListening(socket: string): Promise<boolean> {
  const connection = connect(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false;
    if (code !== 'EACCES') throw error;
    throw new Error(`${socket} belongs to another user: ask as the one that the daemon runs as, or as root`, {
      cause: error,
    });
  } finally {
    connection.destroy();
  }
}

/** The daemon's answer, item by item as it comes. */
export async function* askDaemon<N extends OperationName>(
  socket: string,
  name: N,
  argument: Argument<N>,
): AsyncGenerator<Item<N>> {
  const sent = request({ socketPath: socket, path: `/v1/${name}`, method: 'POST', agent: false });
  sent.end(JSON.stringify(argument));
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) throw new Error('the daemon gave no answer');
  try {
    if (response.statusCode !== 200) throw new Error(`the daemon says: ${(await text(response)).trim()}`);
    for await (const each of linesOf(response)) {
      const said = line.parse(JSON.parse(each));
      if ('refused' in said) throw new Refusal(said.refused);
      if ('failed' in said) throw new Error(said.failed);
      yield operations[name].item.parse(said.item);
    }
  } finally {
    response.destroy();
  }
}

/** Rejects when the answer breaks off. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    throw new Error('the daemon ended in the middle of its answer', { cause: error });
  }
}
