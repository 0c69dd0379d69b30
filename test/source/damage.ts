/** The bytes of a watch of the model server, and what a bad network makes of them. */
import { isUtf8 } from 'node:buffer';
import type { ApiError, DamagedLineError } from '../../src/source/api-error.ts';
import { LineSplitter } from '../../src/source/lines.ts';
import type { Input } from '../../src/source/state.ts';
import { type Envelope, readWatchLines } from '../../src/source/watch-lines.ts';
import { contentOf, type Write } from './model-server.ts';

/** What happens to the bytes from `at` on, which is taken modulo their number. */
export interface Damage {
  readonly kind: 'change' | 'insert' | 'lose' | 'repeat' | 'cut';
  readonly at: number;
  /** The byte that is put there, or how many bytes are lost or come twice. */
  readonly amount: number;
}

export const KINDS: readonly Damage['kind'][] = ['change', 'insert', 'lose', 'repeat', 'cut'];

export function linesOf(writes: readonly Write[]): Buffer {
  return Buffer.from(
    writes.map((write) => `${JSON.stringify({ type: write.type, object: eventOf(write) })}\n`).join(''),
  );
}

/** With characters of one to four bytes, so that a cut falls into them. */
function eventOf(write: Write): object {
  const { name, uid, rv } = write;
  const metadata = { name, namespace: 'web', uid, resourceVersion: String(rv) };
  const involvedObject = { kind: 'Pod', namespace: 'web', name };
  const message = `é漢\u{1F600} "${contentOf(write)}"\n`;
  return { kind: 'Event', apiVersion: 'v1', metadata, involvedObject, message };
}

export function damaged(bytes: Buffer, { kind, at, amount }: Damage): Buffer {
  const place = at % (bytes.length + 1);
  const before = bytes.subarray(0, place);
  const behind = bytes.subarray(place);
  switch (kind) {
    case 'change':
      return Buffer.concat([before, Buffer.from([amount % 256]), behind.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.from([amount % 256]), behind]);
    case 'lose':
      return Buffer.concat([before, behind.subarray(amount)]);
    case 'repeat':
      return Buffer.concat([before, behind.subarray(0, amount), behind]);
    case 'cut':
      return before;
  }
}

/**
 * A line in which a letter has become another letter is a line like any other, and where a whole line is lost nothing
 * shows it. So that everything else can be judged, such a line is damaged once more, in a way that shows.
 */
export function showing(bytes: Buffer, sent: Buffer): Buffer {
  const known = textsOf(sent);
  let next = 0;
  const texts = textsOf(bytes).map((text) => {
    const place = text === '' ? 0 : known.indexOf(text);
    const expected = place >= 0 && place <= next;
    if (expected && text !== '') next = Math.max(next, place + 1);
    return expected || !isJson(text) ? text : `${text}}`;
  });
  return Buffer.from(texts.join('\n'), 'latin1');
}

/** Each byte is a character. */
function textsOf(bytes: Buffer): string[] {
  return bytes.toString('latin1').split('\n');
}

function isJson(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1');
  try {
    JSON.parse(bytes.toString());
    return isUtf8(bytes);
  } catch {
    return false;
  }
}

/** What the reader of a watch tells of bytes that come in pieces cut at `places`, and how the watch ends, if it does. */
export function readBytes(bytes: Buffer, places: readonly number[], envelope: Envelope) {
  const splitter = new LineSplitter();
  const told: Extract<Input, { kind: 'lines' }>[] = [];
  for (const piece of pieces(bytes, places)) {
    const { records, rv, end } = readWatchLines(splitter.push(piece), envelope);
    if (rv !== undefined) told.push({ kind: 'lines', records, rv });
    if (end !== undefined) return { told, end };
  }
  const end: ApiError | DamagedLineError | 'unfinished' | undefined = splitter.unfinished ? 'unfinished' : undefined;
  return { told, end };
}

export function pieces(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
