import type { Logger } from 'pino';
import type { TrimResult } from './protocol.ts';

const MANY = 0.8;
/** Below it, what was said is over, and may be said again. */
const FEW = 0.7;
/** So long, after a line about dropped ones, others are only counted. */
const QUIET_MS = 10_000;

const HELP = '`kube-fanout dead-letters list` shows them; replay or drop what is not needed';

/** Says in the log when dead letters come near their limit, when they are at it, and how many went because of one. */
export class DeadLetterNews {
  readonly #log: Logger;
  readonly #most: number;
  #said: 'nothing' | 'many' | 'limit' = 'nothing';
  #untold = { full: 0, beyondLimit: 0 };
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(log: Logger, most: number) {
    this.#log = log;
    this.#most = most;
  }

  count(deadLetters: number): void {
    const [said, of] = [this.#said, { deadLetters, maxDeadLetters: this.#most }];
    if (deadLetters < FEW * this.#most) this.#said = 'nothing';
    else if (deadLetters >= this.#most && said !== 'limit') {
      this.#said = 'limit';
      this.#log.error(of, `there are as many dead letters as the journal may hold: the oldest go now (${HELP})`);
    } else if (deadLetters >= MANY * this.#most && said === 'nothing') {
      this.#said = 'many';
      this.#log.warn(of, `dead letters are at 80 % of their limit; at it, the oldest go (${HELP})`);
    }
  }

  dropped({ full, beyondLimit }: TrimResult['dropped'], now = performance.now()): void {
    this.#untold = { full: this.#untold.full + full, beyondLimit: this.#untold.beyondLimit + beyondLimit };
    if (now - this.#toldAt >= QUIET_MS) this.tell(now);
  }

  /** What was only counted. */
  tell(now = performance.now()): void {
    const { full, beyondLimit } = this.#untold;
    this.#untold = { full: 0, beyondLimit: 0 };
    if (full + beyondLimit > 0) this.#toldAt = now;
    if (full > 0) this.#log.error({ dropped: full }, 'the journal is full: its oldest dead letters were dropped');
    if (beyondLimit > 0) {
      const why =
        'more dead letters than journal.maxDeadLetters: the oldest of the route that has the most were dropped';
      this.#log.error({ dropped: beyondLimit, maxDeadLetters: this.#most }, why);
    }
  }
}
