/** A journal in memory that throws at whatever must never be done to one. */
import { gapPositionOf, positionOf, type StreamName } from '../../src/envelope/position.ts';
import type { LookUp, NewRecord, StreamState } from '../../src/journal/record.ts';
import type { Effect, GapFound } from '../../src/source/state.ts';

export type Append = Extract<Effect, { kind: 'append' }>;

export const FRESH: StreamState = {
  stream: '_all' as StreamName,
  epoch: 0,
  rv: undefined,
  floor: undefined,
  listing: undefined,
};

export class ModelJournal {
  state: StreamState | undefined;
  readonly rows = new Map<string, NewRecord>();
  readonly gaps: { readonly gap: GapFound; readonly epoch: number }[] = [];
  /** The first epoch of the present history. */
  #history = 0;

  commit({ records, gap, state }: Append): void {
    const before = this.state ?? FRESH;
    if (state.epoch < before.epoch) throw new Error('the epoch went back');
    const watermark = before.rv === undefined ? '' : `${positionOf(before.rv)}~`;
    const sameEpoch = state.epoch === before.epoch;
    if (sameEpoch && before.rv !== undefined && (state.rv === undefined || Number(state.rv) < Number(before.rv))) {
      throw new Error(`the watermark went back from ${before.rv} to ${state.rv}`);
    }
    if (!sameEpoch && state.rv === undefined) this.#history = state.epoch;
    const all = gap === undefined ? records : [...records, gapRow(gap)];
    for (const record of all) {
      const key = `${state.epoch} ${record.position}`;
      if (this.rows.has(key)) continue;
      if (sameEpoch && record.position <= watermark)
        throw new Error(`${record.position} is below the watermark ${watermark}`);
      if (this.#at(record.position) !== undefined) throw new Error(`${record.position} comes twice in one history`);
      this.rows.set(key, record);
    }
    if (gap !== undefined) this.gaps.push({ gap, epoch: state.epoch });
    this.state = state;
  }

  lookUp({ position, attributes: { id } }: NewRecord): LookUp {
    const row = this.#at(position);
    if (row === undefined) return 'unknown';
    return row.attributes.id === id ? 'known' : 'another';
  }

  #at(position: string): NewRecord | undefined {
    for (let epoch = this.#history; epoch <= (this.state?.epoch ?? 0); epoch += 1) {
      const row = this.rows.get(`${epoch} ${position}`);
      if (row !== undefined) return row;
    }
    return undefined;
  }
}

function gapRow(gap: GapFound): NewRecord {
  const position = gapPositionOf(gap.cause === 'restored' ? undefined : gap.to);
  const attributes = {} as NewRecord['attributes'];
  return { position, kind: 'gap', key: 'gap', origin: 'live', attributes, data: Buffer.from(JSON.stringify(gap)) };
}
