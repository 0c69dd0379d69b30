import type { IncomingMessage } from 'node:http';
import { eventJson, type Group, parseEvent } from './event-object.ts';
import { jsonOf, type Revision } from './revision.ts';
import { ApiError } from './status.ts';

/** What a client asked to see of an Event: the whole object of an API group, or its metadata only. */
export interface Shape {
  readonly group: Group;
  readonly metadataOnly: boolean;
}

const ACCEPTED = ['application/json', 'application/*', '*/*', 'application/json;stream=watch'];

/** Reads the Accept header; throws 406 when nothing in it can be given for this kind of answer. */
export function negotiate(request: IncomingMessage, group: Group, answer: 'list' | 'object'): Shape {
  const wanted = answer === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  for (const range of (request.headers.accept ?? '*/*').split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (as === wanted && type === 'application/json') return { group, metadataOnly: true };
    if (as === undefined && ACCEPTED.includes(type)) return { group, metadataOnly: false };
    if (as?.startsWith('PartialObjectMetadata')) {
      throw notAcceptable(`you requested ${as}, but the requested object is ${answer === 'list' ? 'a' : 'not a'} list`);
    }
  }
  throw notAcceptable('only the following media types are accepted: application/json');
}

/** The object that a client sees, as JSON. Only core/v1 in full costs nothing: that is what is stored. */
export function render(revision: Revision, { group, metadataOnly }: Shape): string {
  const json = jsonOf(revision);
  if (metadataOnly) {
    const { metadata } = JSON.parse(json);
    return JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata });
  }
  return group === 'core' ? json : JSON.stringify(eventJson(group, eventOf(revision)));
}

export function eventOf(revision: Revision) {
  const parsed = parseEvent('core', JSON.parse(jsonOf(revision)));
  if ('problem' in parsed) throw new Error(`${revision.key} was stored although it is not an Event: ${parsed.problem}`);
  return parsed.event;
}

function notAcceptable(message: string): ApiError {
  return new ApiError({ code: 406, reason: 'NotAcceptable', message });
}
