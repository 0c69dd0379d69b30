import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openStopped } from '../journal/open.ts';
import { askDaemon, isListening } from './client.ts';
import type { Explain } from './operation.ts';
import { type Argument, type Item, type OperationName, operations } from './operations.ts';
import { socketOf, tooLong } from './socket.ts';

/** A journal that can be asked, whoever has it open. */
export interface Inspection extends AsyncDisposable {
  ask<N extends OperationName>(name: N, argument: Argument<N>): AsyncIterable<Item<N>>;
}

/** A daemon that starts has the lock for a moment before it listens, and one that stops for a moment after. */
const TRIES = 10;
const RETRY_MS = 200;

/**
 * `explain` is the config as a file has it; a running daemon knows its own. Through that daemon, or, when nobody listens, on the file itself, whose lock is then held until the end. Rejects,
 * in words for a person, when there is no journal, or somebody has it open who does not answer.
 */
export async function inspectionOf(path: string, log: Logger, explain?: Explain): Promise<Inspection> {
  const socket = socketOf(path);
  const problem = tooLong(socket);
  let busy = '';
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (problem === undefined && (await isListening(socket))) {
      return { ask: (name, argument) => askDaemon(socket, name, argument), async [Symbol.asyncDispose]() {} };
    }
    const opened = await openStopped(path, log);
    if ('journal' in opened) {
      const { journal } = opened;
      return {
        ask: (name, argument) => operations[name].answer({ journal, running: undefined, explain }, argument),
        [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
      };
    }
    ({ busy } = opened);
    await delay(RETRY_MS);
  }
  const why = problem === undefined ? `nobody answers on ${socket}` : `it cannot be asked, for ${problem}`;
  throw new Error(`the journal ${path} is locked by ${busy}, and ${why}: stop that process and try again`);
}
