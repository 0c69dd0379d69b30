import type { CoreEvent, Group } from './event-object.ts';
import { badRequest } from './status.ts';

interface Term {
  readonly field: string;
  readonly value: string;
  readonly equal: boolean;
}

/** `a=b,c!=d`: all of its terms must hold. A field that an Event does not have counts as empty. */
export class Selector {
  readonly #text: string;
  readonly #terms: readonly Term[];

  private constructor(text: string, terms: readonly Term[]) {
    this.#text = text;
    this.#terms = terms;
  }

  /** Throws 400 on what is not a selector. */
  static parse(text: string): Selector {
    const parts = text.split(/(?<=(?<!\\)(?:\\\\)*),/).map((part) => (part.endsWith(',') ? part.slice(0, -1) : part));
    return new Selector(
      text,
      parts.filter((part) => part !== '').map((part) => parseTerm(part, text)),
    );
  }

  get isEmpty(): boolean {
    return this.#terms.length === 0;
  }

  get fields(): readonly string[] {
    return this.#terms.map((term) => term.field);
  }

  /** The one value that `field` must have, if there is one. */
  required(field: string): string | undefined {
    return this.#terms.find((term) => term.equal && term.field === field)?.value;
  }

  matches(fields: (name: string) => string | undefined): boolean {
    return this.#terms.every(({ field, value, equal }) => ((fields(field) ?? '') === value) === equal);
  }

  toString(): string {
    return this.#text;
  }
}

function parseTerm(part: string, whole: string): Term {
  const match = /^(?<field>.*?)(?<operator>!=|==|=)(?<value>.*)$/s.exec(part)?.groups;
  if (match === undefined) throw badRequest(`invalid selector: '${whole}'; can't understand '${part}'`);
  const { field = '', operator, value = '' } = match;
  const stray = /^(?:[^\\=,]|\\[\\=,])*/.exec(value)?.[0].length ?? 0;
  if (stray < value.length) throw badRequest(`invalid field selector: unescaped character in value: ${value[stray]}`);
  return { field, value: value.replace(/\\(.)/gs, '$1'), equal: operator !== '!=' };
}

const OBJECT_FIELDS = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** The fields by which each API group selects Events. */
const SELECTABLE: Readonly<Record<Group, ReadonlySet<string>>> = {
  core: new Set([
    ...OBJECT_FIELDS.map((field) => `involvedObject.${field}`),
    ...['reason', 'reportingComponent', 'source', 'type', 'metadata.name', 'metadata.namespace'],
  ]),
  'events.k8s.io': new Set([
    ...OBJECT_FIELDS.map((field) => `regarding.${field}`),
    ...['reason', 'reportingController', 'type', 'metadata.name', 'metadata.namespace'],
  ]),
};

/** Throws 400 when `selector` names a field by which this group does not select. */
export function checkFields(selector: Selector, group: Group): void {
  const unknown = selector.fields.find((field) => !SELECTABLE[group].has(field));
  if (unknown !== undefined) throw badRequest(`field label not supported: ${unknown}`);
}

/** What an Event can be selected by. */
export interface Selectable {
  readonly field: (name: string) => string | undefined;
  readonly label: (name: string) => string | undefined;
}

export function selectableOf({ metadata, involvedObject, ...event }: CoreEvent): Selectable {
  const { labels = {} } = metadata;
  const object: Readonly<Record<string, string>> = involvedObject;
  const flat: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    reason: event.reason,
    type: event.type,
    source: event.source.component || event.reportingComponent,
    reportingComponent: event.reportingComponent,
    reportingController: event.reportingComponent,
  };
  return {
    field: (name) => flat[name] ?? object[name.replace(/^(involvedObject|regarding)\./, '')],
    label: (name) => (Object.hasOwn(labels, name) ? labels[name] : undefined),
  };
}
