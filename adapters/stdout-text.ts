import { styleText } from 'node:util';
import { z } from 'zod';
import type { Attributes } from '../src/adapter.ts';

const seen = z.object({ note: z.string().catch(''), count: z.number().catch(1) }).catch({ note: '', count: 1 });

/** What would move a cursor, start a new line, colour the terminal or turn the writing direction. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu;

/**
 * An Event on one line for a person: `14:02:11 Warning Pod/web/nginx BackOff: Back-off restarting … (×3)`, in UTC. All of
 * it is text that any pod may have written.
 */
export function eventLine(attributes: Attributes, data: Uint8Array, { colour }: { readonly colour: boolean }): string {
  const { time, severitytext, subject, reason } = attributes;
  const { note, count } = seen.parse(parsed(data));
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  const warning = severitytext === 'WARN';
  const parts = [
    style('dim', printable(time.slice(11, 19))),
    style(warning ? 'yellow' : 'green', warning ? 'Warning' : 'Normal '),
    style('bold', printable(subject)),
    `${printable(reason ?? '')}:`,
    printable(note),
    count > 1 ? style('dim', `(×${count})`) : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function printable(text: string): string {
  return text.replace(UNPRINTABLE, ' ').trim();
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
