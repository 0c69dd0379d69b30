import { z } from 'zod';
import type { Journal } from '../journal/port.ts';
import type { JournalRecord } from '../journal/record.ts';

const texts = z.object({
  type: z.string().optional().catch(undefined),
  reason: z.string().optional().catch(undefined),
  note: z.string().optional().catch(undefined),
  count: z.int().optional().catch(undefined),
  gap: z
    .object({ from: z.string().optional(), to: z.string().optional(), cause: z.string(), recovered: z.int() })
    .optional()
    .catch(undefined),
});

/** What was not observed of a stream: behind `from`, up to and with `to`. */
export const gap = z.object({
  id: z.string(),
  stream: z.string(),
  at: z.string(),
  cause: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
  /** Revisions in it that were found all the same. */
  recovered: z.int(),
  note: z.string(),
});

/** What an Event says, of a record that is not damaged. */
export function textsOf({ data, intact }: JournalRecord): z.output<typeof texts> {
  return intact ? texts.parse(JSON.parse(new TextDecoder().decode(data))) : {};
}

/** The newest gap records, newest first, of those streams; of all of them when there is none. */
export async function gapsOf(
  journal: Journal,
  most: number,
  streams: ReadonlySet<string> = new Set(),
): Promise<z.output<typeof gap>[]> {
  const gaps = await journal.paperTrail.gaps(100);
  const concerned = gaps.filter(({ stream }) => streams.size === 0 || streams.has(stream));
  return concerned.slice(0, most).map((record) => {
    const { id, recordedtime } = record.attributes;
    const { note = '', gap = { cause: 'unknown', recovered: 0 } } = textsOf(record);
    return { id, stream: record.stream, at: recordedtime, ...gap, note };
  });
}
