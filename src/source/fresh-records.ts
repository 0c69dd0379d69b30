/** Which of the records that were read are to be appended. */
import { type Position, positionOf, type ResourceVersion } from '../envelope/position.ts';
import type { NewRecord, StreamState } from '../journal/record.ts';

/** What is in the journal already is above a list's lower bound only if it came by the watch: then it is ignored there. */
export function unread(stream: StreamState, records: readonly NewRecord[], to: ResourceVersion): readonly NewRecord[] {
  const known = stream.rv ?? stream.floor;
  const after = known === undefined ? '' : positionOf(known);
  const last = positionOf(to);
  return records.filter(({ position }) => position > after && position <= last);
}

/** Those that stand above all before them: one at or below is a repeat, or too late to be put in its place. */
export function inOrder(records: readonly NewRecord[], after: Position): readonly NewRecord[] {
  let highest = after;
  let ordered = true;
  for (const { position } of records) {
    if (position <= highest) ordered = false;
    else highest = position;
  }
  if (ordered) return records;
  highest = after;
  return records.filter(({ position }) => {
    if (position <= highest) return false;
    highest = position;
    return true;
  });
}
