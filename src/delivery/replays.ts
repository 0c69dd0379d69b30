import { type Cursor, compareCursors, type StreamName } from '../envelope/position.ts';
import type { ReplayAnswer, ReplayEnd, ReplayFrom } from '../journal/record.ts';

interface Asked {
  readonly from: ReplayFrom;
  readonly answer: PromiseWithResolvers<ReplayAnswer>;
}

/** Of one route: the replays that somebody has asked for, and up to where what it reads is one. */
export class Replays {
  readonly #ends = new Map<StreamName, ReplayEnd>();
  #asked: Asked[] = [];
  #over: unknown;

  /** Until they have begun, nothing new is read or sent. */
  get waiting(): boolean {
    return this.#asked.length > 0;
  }

  /** Settles when it has begun or was refused; rejects when the route ends before. */
  async ask(from: ReplayFrom): Promise<ReplayAnswer> {
    if (this.#over !== undefined) throw this.#over;
    const answer = Promise.withResolvers<ReplayAnswer>();
    this.#asked.push({ from, answer });
    return answer.promise;
  }

  /** Begins the one that waits longest. */
  async next(begin: (from: ReplayFrom) => Promise<ReplayAnswer>): Promise<void> {
    const [asked] = this.#asked;
    if (asked === undefined) return;
    const answer = await begin(asked.from);
    this.#asked.shift();
    asked.answer.resolve(answer);
  }

  begun(stream: StreamName, replay: ReplayEnd): void {
    this.#ends.set(stream, replay);
  }

  /** The number under which the record there is sent again; 0 when it is not. */
  numberOf(record: Cursor & { readonly stream: StreamName }): number {
    const replay = this.#ends.get(record.stream);
    return replay && compareCursors(record, replay.end) <= 0 ? replay.number : 0;
  }

  end(why: unknown): void {
    this.#over = why;
    for (const { answer } of this.#asked.splice(0)) answer.reject(why);
  }
}
