import { type Cursor, compareCursors } from '../envelope/position.ts';
import type { Limit } from './protocol.ts';
import type { JournalRecord } from './record.ts';

/** Of records in their order, from index `head` on, those behind `after`: at least one, however large, if there is any. */
export function pageBehind(
  records: readonly JournalRecord[],
  { head = 0, after, limit }: { readonly head?: number; readonly after: Cursor; readonly limit: Limit },
): readonly JournalRecord[] {
  let first = head;
  for (let high = records.length; first < high; ) {
    const middle = (first + high) >> 1;
    const record = records[middle];
    if (record && compareCursors(record, after) > 0) high = middle;
    else first = middle + 1;
  }
  let last = first;
  for (let bytes = 0; last < records.length && last - first < limit.records; last += 1) {
    bytes += records[last]?.data.length ?? 0;
    if (bytes > limit.bytes && last > first) break;
  }
  return records.slice(first, last);
}
