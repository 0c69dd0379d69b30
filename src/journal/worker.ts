/** The journal's thread: one message after the other. What fails here ends the journal. */
import { parentPort } from 'node:worker_threads';
import { meaningOf } from './failure.ts';
import { JournalFile } from './file.ts';
import type { Call, Calls, Reply } from './protocol.ts';
import { openDatabase } from './schema.ts';

const port = parentPort;
let file: JournalFile | undefined;

port?.on('message', ({ id, call }: { id: number; call: Call }) => {
  let reply: Reply;
  try {
    reply = { id, kind: 'result', result: answer(call) };
  } catch (error) {
    reply = { id, kind: 'failed', message: meaningOf(error) };
  }
  port.postMessage(reply, transferred(reply));
  if (reply.kind === 'failed' || call.kind === 'close') port.close();
});

function answer(call: Call): unknown {
  if (call.kind === 'open') return open(call.argument);
  if (file) return file.answer(call);
  if (call.kind !== 'close') throw new Error('it is not open');
  return undefined;
}

function open(options: Calls['open']['argument']): Calls['open']['result'] {
  const opened = openDatabase(options);
  if (!opened) return { kind: 'busy' };
  file = new JournalFile(opened.db, options);
  return { ...file.opened(), mended: opened.mended };
}

/** The bytes of a page are handed over, not copied. */
function transferred(reply: Reply): ArrayBuffer[] {
  if (reply.kind === 'failed' || typeof reply.result !== 'object' || reply.result === null) return [];
  const page = 'page' in reply.result ? reply.result.page : reply.result;
  if (typeof page !== 'object' || page === null || !('bytes' in page)) return [];
  return page.bytes instanceof Uint8Array && page.bytes.buffer instanceof ArrayBuffer ? [page.bytes.buffer] : [];
}
