/** What the lines of a watch say: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
import { compareResourceVersions, parseResourceVersion, type ResourceVersion } from '../envelope/position.ts';
import type { NewRecord } from '../journal/record.ts';
import { ApiError, DamagedLineError, fieldsOf, statusIn } from './api-error.ts';

/** Gives the record of an Event, or says why it is none. Never throws. */
export type Envelope = (object: unknown) => NewRecord | { readonly refused: string };

export interface WatchLines {
  /** ADDED and MODIFIED, in their order. */
  readonly records: readonly NewRecord[];
  /** The newest resourceVersion of all lines: DELETED and BOOKMARK move the checkpoint too. */
  readonly rv: ResourceVersion | undefined;
  /** An ERROR line, or one that cannot be read: the watch is over, and what came behind it is not read. */
  readonly end: ApiError | DamagedLineError | undefined;
}

/**
 * A line that is no Event is not passed over: an Event may be what it was, and the checkpoint would move on with the
 * lines behind it. Asked again from the checkpoint, the API server sends it whole.
 */
export function readWatchLines(lines: readonly Uint8Array[], envelope: Envelope): WatchLines {
  const records: NewRecord[] = [];
  let newest: ResourceVersion | undefined;
  for (const line of lines) {
    const { type, object } = fieldsOf(parse(line));
    if (type === 'ERROR') return { records, rv: newest, end: errorIn(object) };
    const rv = parseResourceVersion(fieldsOf(fieldsOf(object).metadata).resourceVersion);
    if (typeof type !== 'string' || rv === undefined) {
      return { records, rv: newest, end: damaged('not a line of a watch', line) };
    }
    if (type !== 'DELETED' && type !== 'BOOKMARK') {
      const record = type === 'ADDED' || type === 'MODIFIED' ? envelope(object) : { refused: `its type is ${type}` };
      if ('refused' in record) {
        return { records, rv: newest, end: damaged(`not an Event, ${record.refused}`, line) };
      }
      records.push(record);
    }
    if (newest === undefined || compareResourceVersions(rv, newest) > 0) newest = rv;
  }
  return { records, rv: newest, end: undefined };
}

/** Strict, or a character that was damaged would become another one. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(line));
  } catch {
    return undefined;
  }
}

function errorIn(object: unknown): ApiError {
  const status = statusIn(object);
  return new ApiError(
    `the API server ended the watch: ${status.message ?? status.reason ?? 'without a reason'}`,
    status,
  );
}

function damaged(what: string, line: Uint8Array): DamagedLineError {
  return new DamagedLineError(
    `the watch brought what is ${what}, so its bytes were changed on the way, and it is asked again: ${excerpt(line)}`,
  );
}

/** Enough to know it by, without control characters, which could play tricks on a terminal. */
export function excerpt(found: Uint8Array | string): string {
  const text = typeof found === 'string' ? found : Buffer.from(found.subarray(0, 480)).toString();
  return text.slice(0, 120).replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD');
}
