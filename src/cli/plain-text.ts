/** Text for a terminal, made of what strangers have written and of machines' numbers. */

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/**
 * On one line, cut, and with nothing in it that a terminal would obey or a reader not see: any pod can write an Event, and
 * an escape sequence in its note can repaint the screen.
 */
export function harmless(text: string, most = 300): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(/\r?\n/g, ' ⏎ ').replace(HIDDEN, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
}

/** JSON in which strangers' text is harmless too: what a terminal would obey, or a reader not see, is escaped. */
export function harmlessJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(HIDDEN, (one) => (one === '\n' ? one : jsonEscape(one)));
}

function jsonEscape(text: string): string {
  return Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  );
}

/** `2026-11-25 19:04:05Z`, of any RFC 3339 time; what is none stays as it is. */
export function moment(time: string): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? harmless(time) : new Date(ms).toISOString().replace('T', ' ').replace(/\.\d+/, '');
}

/** `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, one]) => ms >= 2 * one) ?? ['s', 1_000];
  return `${(ms / size).toFixed(ms / size < 10 && unit === 's' ? 1 : 0)} ${unit}`;
}

/** `412 KiB`, `1.5 GiB`. */
export function size(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const;
  let amount = bytes / 1_024;
  let unit = 0;
  for (; amount >= 1_024 && unit < units.length - 1; unit += 1) amount /= 1_024;
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${units[unit]}`;
}
