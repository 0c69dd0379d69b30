import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * Standard error with a status line at its end. Logs and words scroll above it; on anything but a terminal there is no
 * status line, and no colour.
 */
export class Terminal {
  readonly #out: Output;
  #status = '';

  constructor(out: Output = process.stderr) {
    this.#out = out;
    // Who reads the log may go, such as `head`: the Events go on.
    out.on('error', () => {});
  }

  get interactive(): boolean {
    return this.#out.isTTY === true;
  }

  /** Whole lines. */
  write(text: string): void {
    if (this.#status === '') this.#out.write(text);
    else this.#out.write(`${ERASE_LINE}${text}${this.#status}`);
  }

  say(text: string): void {
    this.write(`${text}\n`);
  }

  dim(text: string): string {
    return this.interactive ? styleText('dim', text) : text;
  }

  /**
   * Replaces the status line; an empty one takes it away. One that has not changed is written all the same, for a route
   * to standard output may have put its lines in the place.
   */
  status(text: string): void {
    if (!this.interactive || (text === '' && this.#status === '')) return;
    this.#status = text === '' ? '' : styleText('inverse', text.slice(0, (this.#out.columns ?? 80) - 1));
    this.#out.write(`${ERASE_LINE}${this.#status}`);
  }
}

const ERASE_LINE = '\r\x1b[2K';
