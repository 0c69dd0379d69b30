/** One stream: asks the API server what the step function wants to know, and appends to the journal what it decides. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ALL_NAMESPACES, type StreamName } from '../envelope/position.ts';
import { failpoint } from '../failpoint.ts';
import type { Journal } from '../journal/port.ts';
import type { Appended, NewRecord, StreamState } from '../journal/record.ts';
import { AppendQueue } from './append-queue.ts';
import { type AuditEffect, isOfAudit } from './audit-state.ts';
import { Auditor } from './auditor.ts';
import type { Backlog } from './backlog.ts';
import type { Cluster } from './cluster.ts';
import type { Limits } from './limits.ts';
import type { Page } from './page.ts';
import { PageReader, type PageReaderParts } from './page-reader.ts';
import { Questions } from './questions.ts';
import { Slot } from './slot.ts';
import type { Effect, GapFound, Input, SourceState, Step } from './state.ts';
import type { StreamStatus } from './status.ts';
import { begin, step } from './step.ts';
import { WatchReader } from './watch-reader.ts';

export interface StreamParts extends Pick<PageReaderParts, 'api' | 'envelope'> {
  readonly cluster: Pick<Cluster, 'name' | 'server'>;
  readonly journal: Pick<Journal, 'append' | 'lookUp'>;
  readonly backlog: Backlog;
  readonly gap: (gap: GapFound & { readonly stream: StreamName }) => NewRecord;
  readonly log: Logger;
  readonly limits: Limits;
}

/** Where the stream stands by the journal, and where it is to be seen from outside. */
interface StreamStart {
  readonly stream: StreamState;
  /** It is new, and nobody wants its past. */
  readonly fromNow: boolean;
  readonly status: StreamStatus;
}

type PagingEffect = Extract<Effect, { kind: 'page' | 'page-wait' }>;
type WatchEffect = Exclude<Effect, PagingEffect | AuditEffect | { kind: 'append' | 'stop' | 'stop-paging' }>;

/** Runs until the signal aborts; rejects only when the journal fails, or by a defect. */
export async function runStream(parts: StreamParts, start: StreamStart, signal: AbortSignal): Promise<void> {
  const loop = new StreamLoop(parts, start, signal);
  await loop.run(begin(start.stream, start));
}

class StreamLoop {
  readonly #parts: StreamParts;
  readonly #status: StreamStatus;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #watch: Slot<Input>;
  readonly #paging: Slot<Input>;
  readonly #over = Promise.withResolvers<void>();
  readonly #appends: AppendQueue;
  #state: SourceState | undefined;
  readonly #pages: PageReader;
  readonly #watches: WatchReader;
  readonly #auditor: Auditor;
  readonly #questions: Questions;
  /** That there is a watch is said once. */
  #watching = false;

  constructor(parts: StreamParts, { stream: start, status }: StreamStart, signal: AbortSignal) {
    this.#parts = parts;
    const { counters } = status;
    this.#pages = new PageReader({ ...parts, counters, skip: (why) => this.#skip(why) }, parts.limits.pageEvents);
    this.#watches = new WatchReader({
      ...parts,
      status,
      envelope: (object) => parts.envelope(object, 'live'),
      opened: () => this.#opened(),
      trouble: (text) => this.#questions.trouble('watch', text),
    });
    this.#status = status;
    status.epoch = start.epoch;
    status.rv = start.rv;
    this.#signal = AbortSignal.any([signal, this.#end.signal]);
    this.#questions = new Questions(parts.log, status, this.#signal);
    const appends = {
      ...parts,
      appended: (appended: Appended, records: number) => this.#appended(appended, records),
      failed: this.#over.reject,
    };
    this.#appends = new AppendQueue(appends, this.#signal);
    this.#auditor = new Auditor({
      ...parts,
      appends: this.#appends,
      questions: this.#questions,
      status,
      hear: (input) => this.#feed(input),
      broken: this.#over.reject,
    });
    this.#watch = new Slot((input) => this.#feed(input), this.#over.reject);
    this.#paging = new Slot((input) => this.#feed(input), this.#over.reject);
  }

  async run(first: Step): Promise<void> {
    const stop = (): void => this.#over.resolve();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      if (this.#signal.aborted) return;
      this.#follow(first);
      await this.#over.promise;
    } finally {
      this.#signal.removeEventListener('abort', stop);
      this.#end.abort();
      const sides = [this.#watch, this.#paging, this.#auditor];
      for (const side of sides) side.stop();
      await Promise.all([...sides.map((side) => side.idle()), this.#appends.idle()]);
    }
  }

  #feed(input: Input): void {
    if (this.#state === undefined || this.#signal.aborted) return;
    try {
      this.#follow(step(this.#state, input));
    } catch (error) {
      this.#over.reject(error);
    }
  }

  #follow({ state, effects }: Step): void {
    this.#state = state;
    this.#status.phase = state.phase;
    this.#status.paging = state.paging;
    this.#status.audit = state.audit.phase;
    this.#noteLate(state.late);
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    if (effect.kind === 'append') this.#append(effect);
    else if (effect.kind === 'stop') this.#watch.stop();
    else if (effect.kind === 'stop-paging') this.#paging.stop();
    else if (effect.kind === 'page' || effect.kind === 'page-wait') {
      this.#paging.start((signal) => this.#questions.ask('paging', signal, () => this.#page(effect, signal)));
    } else if (isOfAudit(effect)) this.#auditor.do(effect);
    else {
      this.#watch.start((signal, tell) => this.#questions.ask('watch', signal, () => this.#next(effect, signal, tell)));
    }
  }

  async #next(effect: WatchEffect, signal: AbortSignal, tell: (input: Input) => void): Promise<Input> {
    switch (effect.kind) {
      case 'probe':
        return this.#probe(signal);
      case 'list':
        return this.#firstPage(signal);
      case 'watch':
        return this.#watches.read(effect.from, signal, tell);
      case 'wait':
        await sleep(jittered(effect.ms * this.#parts.limits.waits), undefined, { signal });
        return { kind: 'due' };
      case 'wait-for-room':
        return this.#room(signal);
    }
  }

  async #probe(signal: AbortSignal): Promise<Input> {
    this.#status.counters.probes += 1;
    const rv = await this.#parts.api.probe(signal);
    failpoint('source.probed');
    return { kind: 'probed', rv };
  }

  async #firstPage(signal: AbortSignal): Promise<Input> {
    const page = await this.#list(undefined, signal);
    failpoint('source.first-page-read');
    return { kind: 'first-page', page };
  }

  async #page(effect: PagingEffect, signal: AbortSignal): Promise<Input> {
    if (effect.kind === 'page-wait') {
      await sleep(jittered(effect.ms * this.#parts.limits.waits), undefined, { signal });
      return { kind: 'page-due' };
    }
    const page = await this.#list(effect.token, signal);
    this.#questions.well('paging');
    return { kind: 'page', page };
  }

  #append({ records, gap, state }: Extract<Effect, { kind: 'append' }>): void {
    failpoint(state.listing === undefined ? 'source.appending' : 'source.appending-page');
    if (gap === undefined) {
      this.#appends.push({ records, state });
      return;
    }
    const { stream } = state;
    failpoint('source.gap-found');
    this.#status.counters.gaps += 1;
    this.#parts.log.warn({ stream, ...gap }, 'some of the history could not be had: a gap record says so');
    this.#appends.push({ records: [...records, this.#parts.gap({ ...gap, stream })], state });
  }

  #appended({ state, inserted }: Appended, records: number): void {
    failpoint(state.listing === undefined ? 'source.appended' : 'source.appended-page');
    this.#status.epoch = state.epoch;
    this.#status.rv = state.rv;
    this.#status.counters.appended += inserted;
    this.#status.counters.repeated += records - inserted;
  }

  async #list(token: string | undefined, signal: AbortSignal): Promise<Page> {
    await this.#parts.backlog.room(signal);
    return this.#pages.read(token, signal);
  }

  #opened(): void {
    this.#questions.well('watch');
    this.#status.up = true;
    // Whoever was away for long may have come back as another.
    if (this.#questions.downMs() >= this.#parts.limits.auditAfterOutageMs) this.#feed({ kind: 'audit-due' });
    if (this.#watching) return;
    this.#watching = true;
    const { stream } = this.#status;
    const what = stream === ALL_NAMESPACES ? 'all namespaces' : `the namespace ${stream}`;
    this.#parts.log.info(
      { stream },
      `watching ${what} of ${this.#parts.cluster.name ?? this.#parts.cluster.server.host}`,
    );
  }

  async #room(signal: AbortSignal): Promise<Input> {
    this.#status.up = false;
    this.#parts.log.warn(
      { stream: this.#status.stream },
      'the journal takes nothing, so the watch is closed; it goes on where it stands as soon as there is room',
    );
    await this.#parts.backlog.room(signal);
    return { kind: 'due' };
  }

  #skip(why: string): void {
    this.#status.counters.skipped += 1;
    const { skipped } = this.#status.counters;
    // Whoever sends many of them must not fill the log.
    if (skipped > 20 && skipped % 1000 !== 0) return;
    this.#parts.log.warn({ stream: this.#status.stream, skipped }, `skipped what the API server sent: ${why}`);
  }

  #noteLate(late: number): void {
    const { counters, stream } = this.#status;
    if (counters.late === 0 && late > 0) {
      this.#parts.log.warn({ stream }, 'the API server sends again what it has sent: it is counted and left out');
    }
    counters.late = late;
  }
}

/** Never shorter: the API server may have said how long to wait. */
function jittered(ms: number): number {
  return ms * (1 + Math.random() * 0.25);
}
