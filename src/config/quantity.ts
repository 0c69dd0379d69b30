/** Durations and sizes as people write them. */
import { z } from 'zod';

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4 } as const;

/** `24h`, `30m`, `1h30m`: in milliseconds. */
export function duration() {
  const error = 'a duration such as 30s, 15m, 24h or 7d';
  return z
    .string({ error })
    .regex(/^([1-9][0-9]*(ms|s|m|h|d))+$/, { error })
    .transform((text) => sum(text, MILLISECONDS));
}

/** `512MiB`, `2GiB`: in bytes. */
export function size() {
  const error = 'a size such as 512MiB or 2GiB';
  return z
    .string({ error })
    .regex(/^[1-9][0-9]*(Ki|Mi|Gi|Ti)B$/, { error })
    .transform((text) => sum(text.slice(0, -1), BYTES));
}

function sum(text: string, units: Readonly<Record<string, number>>): number {
  return text
    .matchAll(/([0-9]+)([a-zA-Z]+)/g)
    .reduce((total, [, amount, unit]) => total + Number(amount) * (units[unit ?? ''] ?? Number.NaN), 0);
}
