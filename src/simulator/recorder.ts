import { eventJson } from './event-object.ts';
import type { Namespaces } from './namespaces.ts';
import { eventName, eventOf, namespaceOf, type Occurrence, type Recording } from './occurrence.ts';
import { cutAtResourceVersion, type Revision } from './revision.ts';
import type { Store } from './store.ts';

/** Writes occurrences as client-go's recorder does: the same again is a higher count of the Event that there is. */
export class Recorder {
  readonly #store: Store;
  readonly #namespaces: Namespaces;
  readonly #salt: string;
  readonly #recordings = new Map<string, Recording>();

  /** `salt` makes the names of one recorder's Events its own. */
  constructor(store: Store, namespaces: Namespaces, salt: string) {
    this.#store = store;
    this.#namespaces = namespaces;
    this.#salt = salt;
  }

  record(occurrence: Occurrence): Revision {
    const namespace = namespaceOf(occurrence);
    this.#namespaces.ensure(namespace);
    const name = eventName(occurrence, this.#salt);
    const key = `${namespace}/${name}`;
    const last = this.#store.now();
    const known = this.#store.get(key) === undefined ? undefined : this.#recordings.get(key);
    const recording: Recording = {
      name,
      uid: known?.uid ?? this.#store.newUid(),
      count: (known?.count ?? 0) + 1,
      first: known?.first ?? last,
      last,
    };
    this.#recordings.set(key, recording);
    const body = cutAtResourceVersion(eventJson('core', eventOf(occurrence, recording)));
    return this.#store.put({ namespace, name, uid: recording.uid, body });
  }
}
