import type { Logger } from 'pino';
import { type Cursor, compareCursors, type StreamName } from '../envelope/position.ts';
import type { Commits } from './commits.ts';
import { DeadLetterNews } from './dead-letter-news.ts';
import type { Holder, TrimResult, Usage } from './protocol.ts';
import type { RouteName } from './record.ts';

type QuotaListener = (stream: StreamName, upTo: Cursor) => void;

export interface UpkeepOptions {
  readonly retainMs: number;
  readonly maxBytes: number;
  readonly maxDeadLetters?: number;
  readonly log: Logger;
  readonly commits: Commits;
  /** Retention has looked, every few seconds at least, and may have deleted what stood up to these floors. */
  readonly onTrim: (floors: TrimResult['floors']) => void;
}

const RETENTION_MS = 5_000;
/** How soon a full journal is looked at again when nothing could be deleted. */
const FULL_MS = 200;

/**
 * Keeps the file within its bounds: asks for one step of retention after the other while there is something to delete,
 * and when a full journal is held up by a route, follows that route's policy.
 */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #maxDeadLetters: number;
  readonly #news: DeadLetterNews;
  readonly #listeners = new Map<RouteName, QuotaListener>();
  /** What routes have been asked to let go of and have not yet. */
  readonly #asked = new Map<string, Cursor>();
  #timer: NodeJS.Timeout | undefined;
  /** The quota is exceeded, or the disk full. */
  #over = false;
  #running = false;
  /** Full, and nothing to be done at once. */
  #resting = false;
  #ended = false;
  #blocking: RouteName | undefined;
  #disk: Usage['disk'] = 'ok';

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#maxDeadLetters = options.maxDeadLetters ?? Number.POSITIVE_INFINITY;
    this.#news = new DeadLetterNews(options.log, this.#maxDeadLetters);
    this.#runIn(RETENTION_MS);
  }

  listen(route: RouteName, listener: QuotaListener): () => void {
    this.#listeners.set(route, listener);
    for (const key of this.#asked.keys()) if (key.startsWith(`${route}\n`)) this.#asked.delete(key);
    return () => {
      if (this.#listeners.get(route) === listener) this.#listeners.delete(route);
    };
  }

  /** The route has let go. */
  expired(route: RouteName, stream: StreamName): void {
    this.#asked.delete(`${route}\n${stream}`);
    if (this.#over) this.#start();
  }

  committed({ bytes, disk, deadLetters }: Usage): void {
    this.#say(disk);
    this.#news.count(deadLetters);
    this.#over = bytes > this.#options.maxBytes || disk !== 'ok';
    if ((this.#over && !this.#resting) || deadLetters > this.#maxDeadLetters) this.#start();
  }

  #say(disk: Usage['disk']): void {
    if (disk === this.#disk) return;
    this.#disk = disk;
    const { log } = this.#options;
    if (disk === 'ok') log.info("the journal's reserve for a full disk is whole again");
    else
      log.warn("the disk has no room for the journal's reserve: deliveries go on with what is left, Events may wait");
  }

  end(): void {
    this.#ended = true;
    this.#news.tell();
    clearTimeout(this.#timer);
  }

  #runIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.#start(), ms).unref();
  }

  #start(): void {
    if (this.#running || this.#ended) return;
    this.#running = true;
    this.#run().catch(() => {
      // The journal has failed or was closed, and whoever appends or settles is told.
      this.end();
    });
  }

  async #run(): Promise<void> {
    const { commits, retainMs, onTrim } = this.#options;
    let result: TrimResult;
    do {
      const now = Date.now();
      result = await commits.submit('trim', { before: now - retainMs, now });
      onTrim(result.floors);
      this.#news.dropped(result.dropped);
    } while (result.steps > 0);
    this.#heldBy(result.holders);
    this.#running = false;
    this.#resting = this.#over;
    this.#runIn(this.#over ? FULL_MS : RETENTION_MS);
  }

  #heldBy(holders: readonly Holder[]): void {
    this.#block(holders.find(({ atQuota }) => atQuota === 'block')?.route);
    for (const { route, stream, atQuota, upTo } of holders) {
      const key = `${route}\n${stream}`;
      const asked = this.#asked.get(key);
      const listener = this.#listeners.get(route);
      if (atQuota !== 'expire' || !listener || (asked && compareCursors(asked, upTo) >= 0)) continue;
      this.#asked.set(key, upTo);
      listener(stream, upTo);
    }
  }

  #block(route: RouteName | undefined): void {
    const { commits, log } = this.#options;
    if (route !== undefined && this.#blocking === undefined) {
      log.error(
        { route },
        'the journal is full: no Event is taken in until this route, whose policy is block, catches up',
      );
    } else if (route === undefined && this.#blocking !== undefined) {
      log.info('the journal takes Events in again');
    }
    this.#blocking = route;
    commits.hold(route !== undefined);
  }
}
