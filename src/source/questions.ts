/** Questions to the API server: turns whatever goes wrong on the way there and back into an input, and into words. */
import type { Logger } from 'pino';
import { failpoint } from '../failpoint.ts';
import { ApiError, UnorderedError } from './api-error.ts';
import type { Input } from './state.ts';
import type { StreamStatus } from './status.ts';

type Side = 'watch' | 'paging' | 'audit';

/** What withdrawn work settles with: nobody hears it. */
const WITHDRAWN: Input = { kind: 'failed' };
const FAILED = { watch: 'failed', paging: 'page-failed', audit: 'audit-failed' } as const;

export class Questions {
  readonly #log: Logger;
  readonly #status: StreamStatus;
  readonly #end: AbortSignal;
  readonly #troubles: { [side in Side]?: string | undefined } = {};
  /** Milliseconds of the monotonic clock. */
  #downSince: number | undefined;

  /** After the end nothing is said any more. */
  constructor(log: Logger, status: StreamStatus, end: AbortSignal) {
    this.#log = log;
    this.#status = status;
    this.#end = end;
  }

  async ask(side: Side, signal: AbortSignal, question: () => Promise<Input>): Promise<Input> {
    try {
      return await question();
    } catch (error) {
      if (signal.aborted) return WITHDRAWN;
      this.#failed(side);
      if (error instanceof UnorderedError) {
        this.trouble(side, error.message);
        return { kind: 'refused' };
      }
      if (error instanceof ApiError && error.expired) {
        failpoint('source.expired');
        const { stream } = this.#status;
        this.#log.info({ stream }, `the API server no longer has that history: ${error.message}`);
        return expiredOn(side, error.status.continue);
      }
      this.trouble(side, error instanceof Error ? error.message : String(error));
      return { kind: FAILED[side], afterMs: error instanceof ApiError ? error.afterMs : undefined };
    }
  }

  /** Said once, and again only when it is something else. */
  trouble(side: Side, text: string): void {
    if (this.#end.aborted) return;
    if (this.#troubles[side] !== text) this.#log.error({ stream: this.#status.stream }, text);
    this.#troubles[side] = text;
    this.#status.lastError = text;
  }

  well(side: Side): void {
    if (this.#troubles[side] === undefined) return;
    this.#troubles[side] = undefined;
    this.#status.lastError = this.#troubles.watch ?? this.#troubles.paging ?? this.#troubles.audit;
    this.#log.info({ stream: this.#status.stream }, 'the API server answers again');
  }

  /** How many milliseconds the watch had failed when it was accepted again; to be asked once, then. */
  downMs(): number {
    const since = this.#downSince;
    this.#downSince = undefined;
    return since === undefined ? 0 : performance.now() - since;
  }

  #failed(side: Side): void {
    this.#status.counters.failures += 1;
    if (side !== 'watch') return;
    this.#status.up = false;
    this.#downSince ??= performance.now();
  }
}

function expiredOn(side: Side, token: string | undefined): Input {
  return side === 'watch' ? { kind: 'expired' } : { kind: side === 'paging' ? 'page-expired' : 'audit-expired', token };
}
