import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { Logger } from '../observe/log.ts';

type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * Standard error with a status line at its end. Logs and words scroll above it; on anything but a terminal there is no
 * status line, and no colour.
 */
export class Terminal {
  readonly #out: Output;
  #status = '';
  #log: Pick<Logger, 'info' | 'fatal'> | undefined;

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

  /** A line for whoever called; `fatal` is why it ends. */
  say(text: string, level: 'info' | 'fatal' = 'info'): void {
    if (this.#log === undefined) this.write(`${text}\n`);
    else this.#log[level](text);
  }

  /** From now on what is said is an entry of the log: whoever collects it parses each line as JSON. */
  sayThrough(log: Pick<Logger, 'info' | 'fatal'>): void {
    this.#log = log;
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
