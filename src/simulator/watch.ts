import type { ServerResponse } from 'node:http';
import type { ListOptions } from './list-options.ts';
import { farewellOf, type Revision } from './revision.ts';
import type { Selection } from './selection.ts';
import { render, type Shape } from './shape.ts';
import { ApiError, expired, tooLargeResourceVersion } from './status.ts';
import type { Store } from './store.ts';

type LineType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** Characters written at once. */
const BATCH = 256 * 1024;

/**
 * One watch: a place in the history and a socket. It has no queue of its own: what the socket does not take stays in
 * the history, and a reader so slow that the history is compacted under it is told so, as any that asks for what is
 * gone. `pump` is called whenever there may be something new; it never waits.
 */
export class Watch {
  readonly #store: Store;
  readonly #selection: Selection;
  readonly #shape: Shape;
  readonly #response: ServerResponse;
  readonly #after: number;
  readonly #initial: Revision[];
  #place: number;
  #state: 'open' | 'frozen' | 'ended' = 'open';
  #blocked = false;
  #cutAt: number | undefined;
  /** How much of the initial state is written; after it a bookmark may be due. */
  #initialDone = 0;
  #bookmark: number | undefined;

  constructor(store: Store, wanted: { selection: Selection; options: ListOptions; shape: Shape }, to: ServerResponse) {
    const { options, selection } = wanted;
    this.#store = store;
    this.#selection = selection;
    this.#shape = wanted.shape;
    this.#response = to;
    const state =
      options.resourceVersion === 0 ? options.sendInitialEvents !== false : options.sendInitialEvents === true;
    const { revision } = store;
    this.#after = state ? revision : options.resourceVersion || revision;
    this.#initial = state ? [...store.snapshot(revision, selection.from, selection.to)] : [];
    if (options.sendInitialEvents === true && options.bookmarks) this.#bookmark = revision;
    this.#place = store.history.after(this.#after);
    to.on('drain', () => {
      this.#blocked = false;
      this.pump();
    });
    const refusal = this.#refusal(options);
    if (refusal !== undefined) this.fail(refusal);
  }

  /** Writes what is new, as far as the socket takes it. */
  pump(): void {
    while (this.#state === 'open' && !this.#blocked) {
      const batch = this.#nextBatch();
      if (batch === '') return;
      this.#write(batch);
    }
  }

  /** A line that is no Event, or not even JSON. */
  writeLine(line: string): void {
    if (this.#state === 'open') this.#write(`${line}\n`);
  }

  /** An ERROR line, and the end. */
  fail(error: ApiError): void {
    this.writeLine(lineOf('ERROR', JSON.stringify(error.status)).trimEnd());
    this.end();
  }

  /** The end of the response, as when its time is up: clean, although the socket may not have taken all there was. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#response.end();
  }

  /** Nothing is written any more, not even the end: the connection is dead, and only this side knows. */
  freeze(): void {
    if (this.#state === 'open') this.#state = 'frozen';
  }

  /** The connection breaks at that byte of what is written next. */
  cut(byte: number): void {
    this.#cutAt = byte;
  }

  #write(text: string): void {
    if (this.#cutAt === undefined) {
      this.#blocked = !this.#response.write(text);
      return;
    }
    this.#state = 'ended';
    const { socket } = this.#response;
    this.#response.write(Buffer.from(text).subarray(0, this.#cutAt), () => socket?.destroySoon());
  }

  #nextBatch(): string {
    let batch = this.#initialLines();
    const { history } = this.#store;
    if (this.#place < history.first) {
      this.fail(expired('watch'));
      return '';
    }
    while (batch.length < BATCH) {
      const revision = history.at(this.#place);
      if (revision === undefined) break;
      this.#place++;
      if (revision.resourceVersion > this.#after) batch += this.#lineOf(revision);
    }
    return batch;
  }

  #initialLines(): string {
    let lines = '';
    for (; lines.length < BATCH && this.#initialDone < this.#initial.length; this.#initialDone++) {
      const state = this.#initial[this.#initialDone];
      if (state !== undefined && this.#selection.matches(state)) lines += lineOf('ADDED', render(state, this.#shape));
    }
    if (this.#initialDone === this.#initial.length) {
      this.#initial.length = this.#initialDone = 0;
      if (this.#bookmark !== undefined) lines += lineOf('BOOKMARK', this.#bookmarkObject(this.#bookmark));
      this.#bookmark = undefined;
    }
    return lines;
  }

  /** A change that enters the selection is an ADDED here, and one that leaves it a DELETED of the old state. */
  #lineOf(revision: Revision): string {
    if (revision.hidden || !this.#selection.covers(revision)) return '';
    if (this.#selection.all) return lineOf(revision.type, render(revision, this.#shape));
    const was = this.#selection.matches(revision.previous);
    if (this.#selection.matches(revision)) return lineOf(was ? 'MODIFIED' : 'ADDED', render(revision, this.#shape));
    return was ? lineOf('DELETED', render(farewellOf(revision), this.#shape)) : '';
  }

  #bookmarkObject(revision: number): string {
    const metadata = { resourceVersion: String(revision), annotations: { 'k8s.io/initial-events-end': 'true' } };
    const apiVersion = this.#shape.group === 'core' ? 'v1' : this.#shape.group;
    return JSON.stringify({ kind: 'Event', apiVersion, metadata });
  }

  /** Why this watch cannot be given: it is accepted all the same, and says so in its first line. */
  #refusal({ resourceVersion, sendInitialEvents }: ListOptions): ApiError | undefined {
    const { revision, compacted, history } = this.#store;
    if (sendInitialEvents === true && resourceVersion > revision) {
      return tooLargeResourceVersion(resourceVersion, revision, 1);
    }
    if (resourceVersion === 0 || sendInitialEvents === true) return undefined;
    if (resourceVersion + 1 < compacted) return expired('watch');
    const first = history.at(this.#place);
    if (resourceVersion + 1 !== compacted || first?.resourceVersion !== compacted || first.type === 'ADDED')
      return undefined;
    // The change can still be had, but not the state before it: etcd gives the one without the other.
    const key = `/registry/events/${first.key}`;
    const message = `etcd event received with PrevKv=nil (key="${key}", modRevision=${compacted})`;
    return new ApiError({
      code: 500,
      reason: 'InternalError',
      message: `Internal error occurred: ${message}`,
      details: { causes: [{ message }] },
    });
  }
}

function lineOf(type: LineType, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}
