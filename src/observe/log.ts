import { Writable } from 'node:stream';
import pino, { type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** For a person at a terminal; otherwise one JSON object a line. */
  readonly pretty: boolean;
  /** Takes whole lines; logs never go to standard output, which belongs to the Events. */
  readonly write: (text: string) => void;
}

/** pino-pretty is loaded for a terminal only. */
export async function createLog({ level, pretty, write }: LogOptions): Promise<Logger> {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!pretty) return pino({ ...options, formatters: { level: (label) => ({ level: label }) } }, { write });
  const { default: prettify } = await import('pino-pretty');
  const destination = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      write(chunk);
      done();
    },
  });
  const style = { colorize: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname', singleLine: true, sync: true };
  return pino(options, prettify({ ...style, destination }));
}
