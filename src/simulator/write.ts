import type { ApiPath } from './api-path.ts';
import { API_VERSION, type CoreEvent, eventJson, type Group, parseEvent } from './event-object.ts';
import { managedFields } from './managed-fields.ts';
import type { Namespaces } from './namespaces.ts';
import { cutAtResourceVersion, type Revision } from './revision.ts';
import { eventOf } from './shape.ts';
import { ApiError, alreadyExists, badRequest, conflict, invalid, notFound } from './status.ts';
import type { Store } from './store.ts';

type EventPath = ApiPath & { readonly namespace: string };

interface Update {
  readonly revision: Revision;
  readonly created: boolean;
}

/** Writes Events as clients send them: fills in what the server owns, and refuses what a real one refuses. */
export class EventWriter {
  readonly #store: Store;
  readonly #namespaces: Namespaces;

  constructor(store: Store, namespaces: Namespaces) {
    this.#store = store;
    this.#namespaces = namespaces;
  }

  /** `manager` is who writes, by the name of its program. */
  create(path: EventPath, body: unknown, manager: string): Revision {
    const sent = read(path, body);
    if (!this.#namespaces.has(path.namespace)) throw notFound('namespaces', path.namespace);
    if (sent.metadata.resourceVersion !== '') {
      throw new ApiError({ code: 500, message: 'resourceVersion should not be set on objects to be created' });
    }
    const { generateName } = sent.metadata;
    const name = sent.metadata.name || (generateName && generateName + this.#store.newUid().slice(-5));
    validate(path.group, name, path.namespace, sent);
    if (this.#store.get(`${path.namespace}/${name}`) !== undefined) throw alreadyExists('events', name);
    const uid = this.#store.newUid();
    const creationTimestamp = `${new Date(this.#store.now()).toISOString().slice(0, 19)}Z`;
    const event = { ...sent, metadata: { ...sent.metadata, name, uid, creationTimestamp } };
    const fields = managedFields(event, { manager, group: path.group });
    return this.#put(path.namespace, { ...event, metadata: { ...event.metadata, managedFields: fields } });
  }

  /** An update of an Event that is not there creates it. */
  update(path: EventPath & { name: string }, body: unknown, manager: string): Update {
    const { name } = path;
    const sent = read(path, body);
    if (sent.metadata.name !== name) {
      throw badRequest(`the name of the object (${sent.metadata.name}) does not match the name on the URL (${name})`);
    }
    const current = this.#store.get(`${path.namespace}/${name}`);
    const { resourceVersion } = sent.metadata;
    if (current === undefined) {
      const metadata = { ...sent.metadata, resourceVersion: '' };
      return { revision: this.create(path, { ...Object(body), metadata }, manager), created: true };
    }
    if (resourceVersion !== '' && resourceVersion !== String(current.resourceVersion)) throw conflict(name);
    if (sent.metadata.uid !== '' && sent.metadata.uid !== current.uid) throw conflict(name);
    return { revision: this.#replace(path, current, sent), created: false };
  }

  /** https://www.rfc-editor.org/rfc/rfc7396 over the shape that the path says. */
  patch(path: EventPath & { name: string }, patch: unknown, manager: string): Revision {
    const { name } = path;
    const current = this.#store.get(`${path.namespace}/${name}`);
    if (current === undefined) throw notFound('events', name);
    const before = eventJson(path.group, withResourceVersion(eventOf(current), String(current.resourceVersion)));
    return this.update(path, mergePatch(JSON.parse(JSON.stringify(before)), patch), manager).revision;
  }

  delete(path: EventPath, name: string): Revision {
    const revision = this.#store.delete(`${path.namespace}/${name}`);
    if (revision === undefined) throw notFound('events', name);
    return revision;
  }

  #replace(path: EventPath, current: Revision, sent: CoreEvent): Revision {
    const before = eventOf(current);
    const { uid, creationTimestamp, name, managedFields } = before.metadata;
    validate(path.group, name, path.namespace, sent);
    const next = { ...sent, metadata: { ...sent.metadata, uid, creationTimestamp, managedFields } };
    const { head, tail } = bodyOf(path.namespace, next);
    // A write that changes nothing is no write: no new revision, nothing for a watch.
    if (head === current.body.head && tail === current.body.tail) return current;
    return this.#put(path.namespace, next);
  }

  #put(namespace: string, event: CoreEvent): Revision {
    const { name, uid } = event.metadata;
    return this.#store.put({ namespace, name, uid, body: bodyOf(namespace, event) });
  }
}

function bodyOf(namespace: string, event: CoreEvent) {
  const placed = { ...event, metadata: { ...event.metadata, namespace } };
  return cutAtResourceVersion(eventJson('core', withResourceVersion(placed, '')));
}

function withResourceVersion(event: CoreEvent, resourceVersion: string): CoreEvent {
  return { ...event, metadata: { ...event.metadata, resourceVersion } };
}

function read({ group, namespace }: EventPath, body: unknown): CoreEvent {
  const { kind, apiVersion } = Object(body);
  if (kind !== undefined && kind !== 'Event') throw badRequest(`${kind} cannot be handled as an Event`);
  if (apiVersion !== undefined && apiVersion !== API_VERSION[group]) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected one (${API_VERSION[group]})`,
    );
  }
  const parsed = parseEvent(group, body);
  if ('problem' in parsed)
    throw badRequest(`Event in version "${API_VERSION[group]}" cannot be read: ${parsed.problem}`);
  const { metadata } = parsed.event;
  if (metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  return parsed.event;
}

function validate(group: Group, name: string, namespace: string, event: CoreEvent): void {
  const problems: [field: string, message: string][] = [];
  if (name === '') problems.push(['metadata.name', 'Required value: name or generateName is required']);
  if (/[/%]|^\.\.?$/.test(name))
    problems.push(['metadata.name', `Invalid value: "${name}": may not be a part of a path`]);
  // Only the old way of writing an Event is held to its object's namespace; the new one may claim any.
  const involved = event.involvedObject.namespace;
  const isNew = group !== 'core' || Boolean(event.eventTime);
  if (!isNew && involved !== namespace && !(involved === '' && namespace === 'default')) {
    problems.push(['involvedObject.namespace', `Invalid value: "${involved}": does not match event.namespace`]);
  }
  if (group !== 'core') {
    if (!event.eventTime) problems.push(['eventTime', 'Required value']);
    if (event.reportingComponent === '') problems.push(['reportingController', 'Required value']);
    if (!['Normal', 'Warning'].includes(event.type)) problems.push(['type', `Invalid value: "${event.type}"`]);
  }
  if (problems.length === 0) return;
  const reason = (message: string) => (message.startsWith('Required') ? 'FieldValueRequired' : 'FieldValueInvalid');
  const causes = problems.map(([field, message]) => ({ reason: reason(message), message, field }));
  throw invalid({ kind: 'Event', name }, causes);
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = { ...(isObject(target) ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
