import { InvalidArgumentError } from 'commander';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(?:[0-9]+[smhd])+$/;
const TIME =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?(?<zone>Z|[+-][0-9]{2}:[0-9]{2})?$/;

/** `2h`, so long ago, or a time such as `2026-11-25 19:04:05Z`: in milliseconds since 1970. A date alone begins it, in UTC. */
export function pointInTime(text: string, now = Date.now()): number {
  if (DURATION.test(text)) return now - durationOf(text);
  const match = TIME.exec(text);
  if (match === null) throw new InvalidArgumentError('Write it as 2h, so long ago, or as 2026-11-25T19:04:05Z.');
  if (text.includes(':') && match.groups?.zone === undefined)
    throw new InvalidArgumentError(`In which zone? Write ${text}Z for UTC.`);
  const ms = Date.parse(text.replace(' ', 'T'));
  if (Number.isNaN(ms)) throw new InvalidArgumentError('There is no such time.');
  return ms;
}

function durationOf(text: string): number {
  return text
    .matchAll(/([0-9]+)([smhd])/g)
    .reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit as keyof typeof UNITS] ?? 0), 0);
}
