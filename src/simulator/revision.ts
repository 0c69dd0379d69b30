/** One change of one Event: what etcd would call a revision of a key. */
export interface Revision {
  readonly resourceVersion: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** `<namespace>/<name>`: lists come in the order of these. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly body: Body;
  /** Milliseconds since 1970: an Event expires one time to live after its last write. */
  readonly at: number;
  /** No watch is told of it: a fault. */
  readonly hidden: boolean;
  /** What was there before; cut by compaction. */
  previous: Revision | undefined;
}

/**
 * A core/v1 Event as JSON, cut where its resourceVersion belongs. So a write is serialised once, before its revision is
 * known, and a deletion shows the last state under a new revision, without another look at the object.
 */
export interface Body {
  readonly head: string;
  readonly tail: string;
}

const MARK = '"resourceVersion":""';

/** `object.metadata.resourceVersion` must be "" and come before anything else of that name, labels included. */
export function cutAtResourceVersion(object: object): Body {
  const json = JSON.stringify(object);
  const at = json.indexOf(MARK) + MARK.length - 1;
  return { head: json.slice(0, at), tail: json.slice(at) };
}

export function jsonOf({ body, resourceVersion }: Revision): string {
  return body.head + resourceVersion + body.tail;
}

/** The state before `revision`, under its resourceVersion: what a watch shows when an Event goes. */
export function farewellOf(revision: Revision): Revision {
  return { ...revision, type: 'DELETED', body: revision.previous?.body ?? revision.body };
}

/** In characters of JSON. */
export function sizeOf({ body }: Revision): number {
  return body.head.length + body.tail.length;
}
