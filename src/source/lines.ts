/** Bytes of a watch as they arrive, cut into lines wherever the network has cut them. */

/** The largest object that etcd takes is 1.5 MiB; JSON can make it several times as long. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/**
 * Gives the lines that `chunk` completes, without their newline and without empty ones. A line that lies in one chunk is
 * a view of it, so the caller must not change a chunk afterwards. Text is decoded only when a line is whole, so a
 * character may be split as well. A line longer than the limit is given as far as it has come: no API server sends one.
 */
export class LineSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(limit = MAX_LINE_BYTES) {
    this.#limit = limit;
  }

  /** Whether the bytes so far end within a line. */
  get unfinished(): boolean {
    return this.#bytes > 0;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#complete(chunk.subarray(start, end));
      if (line.length > 0) lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start));
    if (this.#bytes > this.#limit) lines.push(this.#complete(NOTHING));
    return lines;
  }

  #complete(end: Uint8Array): Uint8Array {
    if (this.#bytes === 0) return end;
    this.#keep(end);
    const line = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }

  #keep(part: Uint8Array): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }
}

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array();
