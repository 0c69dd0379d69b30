/** Plays the driver and the journal round the step function, one answer at a time, and checks what every append does. */
import { gapPositionOf, positionOf, type StreamName } from '../../src/envelope/position.ts';
import type { NewRecord, StreamState } from '../../src/journal/record.ts';
import type { Effect, GapFound, Input, SourceState } from '../../src/source/state.ts';
import { begin, step } from '../../src/source/step.ts';
import { type ModelServer, recordOf, version } from './model-server.ts';

type Append = Extract<Effect, { kind: 'append' }>;
type WatchEffect = Extract<Effect, { kind: 'probe' | 'list' | 'watch' | 'wait' | 'wait-for-room' }>;
type PageEffect = Extract<Effect, { kind: 'page' | 'page-wait' }>;

const FRESH: StreamState = {
  stream: '_all' as StreamName,
  epoch: 0,
  rv: undefined,
  floor: undefined,
  listing: undefined,
};

/** How a watch ends in the model. `silently` is a 410 that nobody says. */
export type Ending = 'timeout' | 'early' | 'at-once' | 'failed' | 'expired' | 'blocked';

export class ModelDaemon {
  readonly server: ModelServer;
  /** A 410 of a watch comes as a clean close at once. */
  silent = false;
  /** What the journal holds for certain, and what a crash would take with it. */
  durable: StreamState | undefined;
  waiting: Append[] = [];
  readonly rows = new Map<string, NewRecord>();
  readonly gaps: { readonly gap: GapFound; readonly epoch: number }[] = [];
  /** How often the API server has said that history is gone, in whatever form. */
  expiries = 0;
  #state: SourceState | undefined;
  #watch: WatchEffect | undefined;
  #page: PageEffect | undefined;
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

  /** The watch is open, has told all, and no list is under way. */
  get quiet(): boolean {
    if (!this.watching || this.#page !== undefined) return false;
    return this.server.writes.every(({ rv }) => rv <= this.#told);
  }

  start(): void {
    this.#watch = undefined;
    this.#page = undefined;
    this.#follow(begin(this.durable ?? FRESH, { fromNow: false }));
  }

  /** SIGKILL: of the appends that wait, the first few have been committed. */
  crash(committed: number): void {
    for (const append of this.waiting.slice(0, committed)) this.#commit(append);
    this.waiting = [];
    this.start();
  }

  flush(): void {
    for (const append of this.waiting) this.#commit(append);
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

  #pageOf(token: string): Input {
    const page = this.server.page(token);
    if (!('expired' in page)) return { kind: 'page', page };
    this.expiries += 1;
    return { kind: 'page-expired', token: page.expired };
  }

  failWatch(): void {
    if (this.#watch?.kind === 'wait' || this.#watch?.kind === 'wait-for-room') return;
    this.#feed({ kind: 'failed' });
  }

  failPage(): void {
    if (this.#page?.kind === 'page') this.#feed({ kind: 'page-failed' });
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
    const old = this.server.writes.filter(({ rv }) => rv <= this.#told).slice(-lines);
    const last = old.at(-1);
    if (!this.watching || last === undefined) return;
    const records = old.filter(({ type }) => type !== 'DELETED').map(recordOf);
    this.#feed({ kind: 'lines', records, rv: version(last.rv) });
  }

  /** What routes may read. */
  readable(): ReadonlySet<string> {
    return new Set([...this.rows.values()].filter((row) => row.kind === 'event').map(({ data }) => String(data)));
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
    const lines = this.server.writes.filter(({ rv }) => rv > this.#told).slice(0, limit);
    const last = lines.at(-1);
    if (last === undefined) return;
    this.#told = last.rv;
    const records = lines.filter(({ type }) => type !== 'DELETED').map(recordOf);
    this.#feed({ kind: 'lines', records, rv: version(last.rv) });
  }

  #feed(input: Input): void {
    this.#follow(step(this.state, input));
  }

  #follow({ state, effects }: ReturnType<typeof step>): void {
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'append') this.waiting.push(effect);
      else if (effect.kind === 'page' || effect.kind === 'page-wait') this.#page = effect;
      else if (effect.kind === 'stop-paging') this.#page = undefined;
      else if (effect.kind === 'stop') this.#watch = undefined;
      else this.#watch = effect;
      if (effect.kind === 'watch') this.#told = Number(effect.from);
    }
    if (state.paging === 'idle') this.#page = undefined;
  }

  #commit({ records, gap, state }: Append): void {
    const before = this.durable ?? FRESH;
    if (state.epoch < before.epoch) throw new Error('the epoch went back');
    const watermark = before.rv === undefined ? '' : `${positionOf(before.rv)}~`;
    const sameEpoch = state.epoch === before.epoch;
    if (sameEpoch && before.rv !== undefined && (state.rv === undefined || Number(state.rv) < Number(before.rv))) {
      throw new Error(`the watermark went back from ${before.rv} to ${state.rv}`);
    }
    const all = gap === undefined ? records : [...records, gapRow(gap)];
    for (const record of all) {
      const key = `${state.epoch} ${record.position}`;
      if (this.rows.has(key)) continue;
      if (sameEpoch && record.position <= watermark)
        throw new Error(`${record.position} is below the watermark ${watermark}`);
      this.rows.set(key, record);
    }
    if (gap !== undefined) this.gaps.push({ gap, epoch: state.epoch });
    this.durable = state;
  }
}

function gapRow(gap: GapFound): NewRecord {
  const position = gapPositionOf(gap.cause === 'restored' ? undefined : gap.to);
  const attributes = {} as NewRecord['attributes'];
  return { position, kind: 'gap', key: 'gap', origin: 'live', attributes, data: Buffer.from(JSON.stringify(gap)) };
}
