/** Plays the driver and the journal round the step function, one answer at a time, and checks what every append does. */
import { DamagedLineError, fieldsOf } from '../../src/source/api-error.ts';
import type { AuditEffect } from '../../src/source/audit-state.ts';
import { isOfAudit } from '../../src/source/audit-state.ts';
import type { Effect, Input, SourceState } from '../../src/source/state.ts';
import { begin, step } from '../../src/source/step.ts';
import { type Damage, damaged, linesOf, readBytes, showing } from './damage.ts';
import { type Append, FRESH, ModelJournal } from './model-journal.ts';
import { type ModelServer, recordOf, version } from './model-server.ts';

type WatchEffect = Extract<Effect, { kind: 'probe' | 'list' | 'watch' | 'wait' | 'wait-for-room' }>;
type PageEffect = Extract<Effect, { kind: 'page' | 'page-wait' }>;

/** How a watch ends in the model. `silently` is a 410 that nobody says. */
export type Ending = 'timeout' | 'early' | 'at-once' | 'failed' | 'expired' | 'blocked';

export class ModelDaemon {
  readonly server: ModelServer;
  /** A 410 of a watch comes as a clean close at once. */
  silent = false;
  readonly journal = new ModelJournal();
  /** What a crash would take with it. */
  waiting: Append[] = [];
  /** How often the API server has said that history is gone, in whatever form. */
  expiries = 0;
  /** What audits have found, and how many have ended. */
  found = 0;
  audits = 0;
  #state: SourceState | undefined;
  #watch: WatchEffect | undefined;
  #page: PageEffect | undefined;
  #audit: AuditEffect | undefined;
  /** Up to where the open watch has told its lines. */
  #told = 0;

  constructor(server: ModelServer) {
    this.server = server;
    this.start();
  }

  get state(): SourceState {
    if (this.#state === undefined) throw new Error('not started');
    return this.#state;
  }

  get watching(): boolean {
    return this.#watch?.kind === 'watch' && !this.#refused;
  }

  /** The watch is open, has told all, and neither a list nor an audit is under way. */
  get quiet(): boolean {
    if (!this.watching || this.#page !== undefined || this.state.audit.phase !== 'resting') return false;
    return this.server.writes.every(({ rv, hidden }) => hidden || rv <= this.#told);
  }

  start(): void {
    this.#watch = undefined;
    this.#page = undefined;
    this.#audit = undefined;
    this.#follow(begin(this.journal.state ?? FRESH, { fromNow: false }));
  }

  /** SIGKILL: of the appends that wait, the first few have been committed. */
  crash(committed: number): void {
    for (const append of this.waiting.slice(0, committed)) this.journal.commit(append);
    this.waiting = [];
    this.start();
  }

  flush(): void {
    for (const append of this.waiting) this.journal.commit(append);
    this.waiting = [];
  }

  /** The API server answers what the watch side asked; an open watch tells up to `lines` lines. */
  answerWatch(lines: number): void {
    const effect = this.#watch;
    switch (effect?.kind) {
      case undefined:
        break;
      case 'probe':
        this.#feed({ kind: 'probed', rv: version(this.server.revision) });
        break;
      case 'list': {
        const page = this.server.page(undefined);
        if (!('expired' in page)) this.#feed({ kind: 'first-page', page });
        break;
      }
      case 'wait':
      case 'wait-for-room':
        this.#feed({ kind: 'due' });
        break;
      case 'watch':
        if (this.#refused) this.#expire();
        else this.#tell(lines);
    }
  }

  answerPage(): void {
    if (this.#page?.kind === 'page-wait') this.#feed({ kind: 'page-due' });
    else if (this.#page?.kind === 'page') this.#feed(this.#pageOf(this.#page.token));
  }

  /** It is time for an audit. */
  audit(): void {
    this.#feed({ kind: 'audit-due' });
  }

  answerAudit(): void {
    const effect = this.#audit;
    if (effect?.kind === 'audit-pause' || effect?.kind === 'audit-wait') this.#feed({ kind: 'audit-next' });
    else if (effect?.kind === 'audit-ask') {
      this.flush();
      this.#feed({ kind: 'audit-told', lookUps: effect.records.map((record) => this.journal.lookUp(record)) });
    } else if (effect?.kind === 'audit-page') {
      const page = this.server.page(effect.token);
      this.#feed('expired' in page ? { kind: 'audit-expired', token: page.expired } : { kind: 'audit-page', page });
    }
  }

  failAudit(afterMs?: number): void {
    if (this.#audit?.kind === 'audit-page') this.#feed({ kind: 'audit-failed', afterMs });
  }

  #pageOf(token: string): Input {
    const page = this.server.page(token);
    if (!('expired' in page)) return { kind: 'page', page };
    this.expiries += 1;
    return { kind: 'page-expired', token: page.expired };
  }

  /** `afterMs` is the Retry-After of the answer. */
  failWatch(afterMs?: number): void {
    if (this.#watch?.kind === 'wait' || this.#watch?.kind === 'wait-for-room') return;
    this.#feed({ kind: 'failed', afterMs });
  }

  failPage(afterMs?: number): void {
    if (this.#page?.kind === 'page') this.#feed({ kind: 'page-failed', afterMs });
  }

  /** The open watch tells up to `limit` lines whose bytes are damaged on the way, and then breaks. */
  damage(how: Damage, limit: number): void {
    const lines = this.#untold().slice(0, limit);
    if (!this.watching || lines.length === 0) return;
    const sent = linesOf(lines);
    const known = new Map(lines.map((write) => [String(write.rv), recordOf(write)]));
    const { told, end } = readBytes(showing(damaged(sent, how), sent), [how.at], (object) => {
      const record = known.get(String(fieldsOf(fieldsOf(object).metadata).resourceVersion));
      return record ?? { refused: 'nobody has sent it' };
    });
    for (const input of told) this.#feed(input);
    if (end instanceof DamagedLineError) {
      this.expiries += 1;
      this.#feed({ kind: 'ended', how: 'at-once' });
    } else this.#feed(end === 'unfinished' ? { kind: 'failed' } : { kind: 'ended', how: 'early' });
  }

  /** An API server keeps its word: at its own timeout a watch has told everything. */
  endWatch(ending: Ending): void {
    if (!this.watching) return;
    if (ending === 'timeout') this.#tell(Number.POSITIVE_INFINITY);
    if (ending === 'expired' || ending === 'at-once') this.expiries += 1;
    if (ending === 'failed' || ending === 'blocked' || ending === 'expired') this.#feed({ kind: ending });
    else this.#feed({ kind: 'ended', how: ending });
  }

  /** A proxy, or a broken store, sends old lines again. */
  repeat(lines: number): void {
    const old = this.server.writes.filter(({ rv, hidden }) => !hidden && rv <= this.#told).slice(-lines);
    const last = old.at(-1);
    if (!this.watching || last === undefined) return;
    const records = old.filter(({ type }) => type !== 'DELETED').map(recordOf);
    this.#feed({ kind: 'lines', records, rv: version(last.rv) });
  }

  /** What routes may read. */
  readable(): ReadonlySet<string> {
    return new Set(this.#events().map(({ data }) => String(data)));
  }

  readableIds(): ReadonlySet<string> {
    return new Set(this.#events().map(({ attributes }) => attributes.id));
  }

  #events() {
    return [...this.journal.rows.values()].filter(({ kind }) => kind === 'event');
  }

  get #refused(): boolean {
    return (
      this.#watch?.kind === 'watch' && this.#told < this.server.compacted && this.#told === Number(this.#watch.from)
    );
  }

  #expire(): void {
    this.expiries += 1;
    this.#feed(this.silent ? { kind: 'ended', how: 'at-once' } : { kind: 'expired' });
  }

  #tell(limit: number): void {
    const lines = this.#untold().slice(0, limit);
    const last = lines.at(-1);
    if (last === undefined) return;
    this.#told = last.rv;
    const records = lines.filter(({ type }) => type !== 'DELETED').map(recordOf);
    this.#feed({ kind: 'lines', records, rv: version(last.rv) });
  }

  #untold() {
    return this.server.writes.filter(({ rv, hidden }) => !hidden && rv > this.#told);
  }

  #feed(input: Input): void {
    const next = step(this.state, input);
    const asked = 'afterMs' in input ? (input.afterMs ?? 0) : 0;
    const early = next.effects.find((effect) => 'ms' in effect && effect.ms < asked);
    if (early) throw new Error(`${early.kind} is shorter than the API server has asked for`);
    this.#follow(next);
  }

  #follow({ state, effects }: ReturnType<typeof step>): void {
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'append') this.waiting.push(effect);
      else if (effect.kind === 'page' || effect.kind === 'page-wait') this.#page = effect;
      else if (effect.kind === 'stop-paging') this.#page = undefined;
      else if (effect.kind === 'audit-found') this.found += effect.count;
      else if (effect.kind === 'audit-ended') this.audits += 1;
      else if (isOfAudit(effect)) this.#audit = effect;
      else if (effect.kind === 'stop') this.#watch = undefined;
      else this.#watch = effect;
      if (effect.kind === 'watch') this.#told = Number(effect.from);
    }
    if (state.paging === 'idle') this.#page = undefined;
  }
}
