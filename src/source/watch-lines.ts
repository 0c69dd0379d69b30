/** What the lines of a watch say: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
import { compareResourceVersions, parseResourceVersion, type ResourceVersion } from '../envelope/position.ts';
import type { NewRecord } from '../journal/record.ts';
import { ApiError, fieldsOf, statusIn, UnorderedError } from './api-error.ts';

/** Gives the record of an Event, or says why it is none. Never throws. */
export type Envelope = (object: unknown) => NewRecord | { readonly refused: string };

export interface WatchLines {
  /** ADDED and MODIFIED, in their order. */
  readonly records: readonly NewRecord[];
  /** The newest resourceVersion of all lines: DELETED and BOOKMARK move the checkpoint too. */
  readonly rv: ResourceVersion | undefined;
  /** Lines that are no Event or no JSON, in words, each with an excerpt. */
  readonly skipped: readonly string[];
  /** An ERROR line, or a resourceVersion without an order: the watch is over, and what came behind it is not read. */
  readonly end: ApiError | UnorderedError | undefined;
}

export function readWatchLines(lines: readonly Uint8Array[], envelope: Envelope): WatchLines {
  const records: NewRecord[] = [];
  const skipped: string[] = [];
  let newest: ResourceVersion | undefined;
  for (const line of lines) {
    const { type, object } = fieldsOf(parse(line));
    if (type === 'ERROR') return { records, rv: newest, skipped, end: errorIn(object) };
    const version = fieldsOf(fieldsOf(object).metadata).resourceVersion;
    const rv = parseResourceVersion(version);
    if (typeof type !== 'string' || version === undefined) {
      skipped.push(`not a line of a watch: ${excerpt(line)}`);
      continue;
    }
    if (rv === undefined) return { records, rv: newest, skipped, end: new UnorderedError(version) };
    if (newest === undefined || compareResourceVersions(rv, newest) > 0) newest = rv;
    if (type === 'DELETED' || type === 'BOOKMARK') continue;
    const record = type === 'ADDED' || type === 'MODIFIED' ? envelope(object) : { refused: `its type is ${type}` };
    if ('refused' in record) skipped.push(`not an Event, ${record.refused}: ${excerpt(line)}`);
    else records.push(record);
  }
  return { records, rv: newest, skipped, end: undefined };
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString());
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

/** Enough to know it by, without control characters, which could play tricks on a terminal. */
export function excerpt(found: Uint8Array | string): string {
  const text = typeof found === 'string' ? found : Buffer.from(found.subarray(0, 480)).toString();
  return text.slice(0, 120).replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD');
}
