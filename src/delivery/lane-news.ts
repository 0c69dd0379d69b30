import type { Logger } from 'pino';
import type { Lane } from './parked-lanes.ts';

/** So long, after a line about one lane, others are only counted; then one line speaks for all of them. */
const QUIET_MS = 10_000;
const NAMED = 5;

type Kind = 'parked' | 'drained';
type Where = Pick<Lane, 'destination' | 'key'>;

/**
 * Says in the log which destinations take nothing, and when all that was parked for one has gone out. A config that names a
 * thousand topics that nobody has made gives a line or two, not a thousand.
 */
export class LaneNews implements Disposable {
  readonly #log: Logger;
  readonly #untold: Record<Kind, Where[]> = { parked: [], drained: [] };
  readonly #timers = new Map<Kind, NodeJS.Timeout>();

  constructor(log: Logger) {
    this.#log = log;
  }

  parked({ destination, key, verdict }: Lane): void {
    this.#tell('parked', { destination, key }, () => {
      this.#log.warn({ destination, key, ...verdict }, 'parked in the journal, and tried again for ever');
    });
  }

  drained({ destination, key }: Where): void {
    this.#tell('drained', { destination, key }, () => {
      this.#log.info({ destination, key }, 'all that was parked for it has gone out, in order');
    });
  }

  [Symbol.dispose](): void {
    for (const kind of this.#timers.keys()) this.#sumUp(kind);
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #tell(kind: Kind, where: Where, now: () => void): void {
    if (this.#timers.has(kind)) {
      this.#untold[kind].push(where);
      return;
    }
    now();
    this.#timers.set(kind, setTimeout(() => this.#quiet(kind), QUIET_MS).unref());
  }

  #quiet(kind: Kind): void {
    this.#timers.delete(kind);
    if (this.#sumUp(kind)) this.#timers.set(kind, setTimeout(() => this.#quiet(kind), QUIET_MS).unref());
  }

  /** False when there was nothing to say. */
  #sumUp(kind: Kind): boolean {
    const untold = this.#untold[kind];
    if (untold.length === 0) return false;
    this.#untold[kind] = [];
    const names = [...new Set(untold.map(nameOf))];
    const first = names.slice(0, NAMED).join(', ');
    const rest = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
    const lanes = { destinations: names.length };
    if (kind === 'parked')
      this.#log.warn(lanes, `parked in the journal too, and tried again for ever: ${first}${rest}`);
    else this.#log.info(lanes, `all that was parked has gone out, in order, for ${first}${rest}`);
    return true;
  }
}

function nameOf({ destination, key }: Where): string {
  return key === undefined ? destination : `${destination} (${key})`;
}
