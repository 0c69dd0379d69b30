import type { DatabaseSync } from 'node:sqlite';
import { positionOf } from '../envelope/position.ts';
import type { Calls } from './protocol.ts';
import type { LookUp } from './record.ts';
import { RECORD_COLUMNS, storedRow } from './records.ts';
import type { Stream, Streams } from './streams.ts';

type Revision = Calls['lookUp']['argument']['revisions'][number];

/**
 * Whether the journal has had revisions that the API server still has. It looks through all epochs of the history that
 * the API server goes on with, since a late row has opened another one, and through none of an older history, in which the
 * same resourceVersion named something else. What retention has passed by was here: that is all at or below the floor.
 */
export class Register {
  readonly #streams: Streams;
  readonly #attributes;
  readonly #whole;

  constructor(db: DatabaseSync, streams: Streams) {
    this.#streams = streams;
    const place = 'FROM records WHERE stream = ? AND epoch = ? AND position = ?';
    this.#attributes = db.prepare(`SELECT attributes ${place}`);
    this.#whole = db.prepare(`SELECT ${RECORD_COLUMNS} ${place}`);
  }

  lookUp({ stream: name, revisions }: Calls['lookUp']['argument']): LookUp[] {
    const stream = this.#streams.get(name);
    return revisions.map((revision) => (stream ? this.#find(stream, revision) : 'unknown'));
  }

  #find({ id: stream, state, history, trimmed }: Stream, { position, id }: Revision): LookUp {
    if (state.floor !== undefined && position <= positionOf(state.floor)) return 'known';
    for (let epoch = state.epoch; epoch >= Math.max(history, trimmed.epoch); epoch -= 1) {
      const row = this.#attributes.get(stream, epoch, position);
      if (row === undefined) continue;
      // In JSON no value can hold this text, for its quotes would be escaped.
      if (String(row.attributes).includes(`"id":${JSON.stringify(id)}`)) return 'known';
      // Bytes that the disk has damaged prove nothing.
      const whole = this.#whole.get(stream, epoch, position);
      return whole !== undefined && storedRow(whole, state.stream).intact ? 'another' : 'known';
    }
    return 'unknown';
  }
}
