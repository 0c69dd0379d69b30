/**
 * An event as expressions see it. The view is total: every field of the vocabulary is there, empty or zero where the
 * data has none, for CEL ends an evaluation at a missing one, and a route would then say no without a word.
 */
import type { JournalRecord } from '../journal/record.ts';
import { type FieldType, TYPES, type TypeName, VOCABULARY } from './vocabulary.ts';

export type View = {
  readonly event: object;
  /** The object key. */
  readonly key: string;
};

class Fields {
  [field: string]: unknown;
}

/** One class for each type, for by its class the CEL library tells a value's type. */
export const CLASSES = {
  Reference: class Reference extends Fields {},
  Series: class Series extends Fields {},
  Source: class Source extends Fields {},
  Metadata: class Metadata extends Fields {},
  Event: class Event extends Fields {},
} as const satisfies Record<TypeName, new () => Fields>;

/** Labels or annotations. Its `get` answers "" for a missing one, while `has` tells the truth. */
export class Labels extends Map<string, string> {
  constructor(from: Readonly<Record<string, unknown>>) {
    super();
    for (const [name, text] of Object.entries(from)) if (typeof text === 'string') this.set(name, text);
  }

  override get(name: string): string {
    return super.get(name) ?? '';
  }
}

const views = new WeakMap<JournalRecord, View>();

/** Parsed once for all routes. Throws when the data is not JSON. */
export function viewOf(record: JournalRecord): View {
  const known = views.get(record);
  if (known !== undefined) return known;
  const view = viewOfData(JSON.parse(decoder.decode(record.data)), record.key);
  views.set(record, view);
  return view;
}

/** The view of data that is parsed already. */
export function viewOfData(data: unknown, key: string): View {
  return { event: build('Event', data), key };
}

const decoder = new TextDecoder();
const fieldsOf = new Map(TYPES.map((type) => [type, Object.entries(VOCABULARY[type])]));

function build(type: TypeName, data: unknown): object {
  const from = isObject(data) ? data : {};
  const view = new CLASSES[type]();
  for (const [name, of] of fieldsOf.get(type) ?? []) view[name] = value(of, from[name]);
  return view;
}

function value(type: FieldType, from: unknown): unknown {
  switch (type) {
    case 'string':
      return typeof from === 'string' ? from : '';
    case 'int':
      return typeof from === 'number' && Number.isSafeInteger(from) ? BigInt(from) : 0n;
    case 'Labels':
      return isObject(from) ? new Labels(from) : NO_LABELS;
    default:
      return isObject(from) ? build(type, from) : empty(type);
  }
}

const empties = new Map<TypeName, object>();

function empty(type: TypeName): object {
  const known = empties.get(type);
  if (known !== undefined) return known;
  const made = Object.freeze(build(type, {}));
  empties.set(type, made);
  return made;
}

const NO_LABELS = new Labels({});

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
