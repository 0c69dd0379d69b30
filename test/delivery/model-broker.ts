import { type Adapter, ConnectionLost, type Message, type Outcome } from '../../src/adapter.ts';
import type { RouteName } from '../../src/journal/record.ts';

/** What a broker says of the next message, whatever its place. */
export type Whim = 'passes' | 'unavailable' | 'timeout' | 'throttled' | 'rejected' | 'held';
export type PlaceState = 'open' | 'missing' | 'throttled' | 'rejecting';

export interface Stored {
  readonly id: string;
  /** The number of the replay; 0 when it is none. */
  readonly replay: number;
  readonly name: string;
  readonly place: string;
  readonly key: string;
}

/** When what was asked for happens: a schedule decides, not the order of the asking. */
export type Moment = (label: string) => Promise<void>;

/** The broker of one route, whose answers, and the time of each, are decided by others. */
export class ModelBroker {
  readonly route: RouteName;
  readonly stored: Stored[] = [];
  readonly places = new Map<string, PlaceState>();
  up = true;
  whims: Whim[] = [];
  /** Publishes to come that are never answered: stored or not. */
  hangs: ('stored' | 'lost')[] = [];
  /** Publishes to come under which the connection breaks, and how many messages are stored before it does. */
  breaks: number[] = [];
  /** It has ever broken a connection, or rejected what could pass. */
  hasBroken = false;
  hasRejected = false;
  readonly connections = new Set<ModelConnection>();
  readonly #onStored: (stored: Stored) => void;
  /** Names of what the route knows to be delivered, since it was last started. */
  readonly heard = new Set<string>();

  constructor(route: RouteName, onStored: (stored: Stored) => void) {
    this.route = route;
    this.#onStored = onStored;
  }

  heal(): void {
    this.up = true;
    this.places.clear();
    this.whims = [];
    this.hangs = [];
    this.breaks = [];
  }

  store(message: Message): Outcome {
    const { attributes, destination, key } = message;
    const replay = replayOf(message);
    if (replay > 0 !== (attributes.origin === 'replay')) throw new Error(`${attributes.id} is marked wrongly`);
    const name = letterName(attributes.id, replay);
    const stored = { id: attributes.id, replay, name, place: destination, key };
    this.stored.push(stored);
    this.#onStored(stored);
    return { kind: 'delivered', receipt: { at: this.stored.length - 1 } };
  }

  answer(message: Message): Outcome {
    const { destination, attributes } = message;
    const fate = attributes.reason;
    if (fate === 'tooLarge') return { kind: 'reject', reason: 'too-large', detail: '', judge: 'adapter' };
    const place = this.places.get(destination) ?? 'open';
    if (place === 'missing') return HELD;
    if (place === 'throttled') return { kind: 'retry', reason: 'throttled', detail: '', afterMs: 3_000 };
    if (place === 'rejecting') this.hasRejected = true;
    if (place === 'rejecting' || fate === 'refused') return REJECTED;
    return this.#whimsical(message, this.whims.shift() ?? 'passes');
  }

  #whimsical(message: Message, whim: Whim): Outcome {
    if (whim === 'passes') return this.store(message);
    if (whim === 'held') return HELD;
    if (whim !== 'rejected') return { kind: 'retry', reason: whim, detail: '' };
    this.hasRejected = true;
    return REJECTED;
  }
}

/** What is sent once unless something happens: a letter, and again each time that it is replayed. */
export function letterName(id: string, replay: number): string {
  return replay === 0 ? id : `${id}/${replay}`;
}

/** As a broker tells it apart: the deduplication id is `<id>/<route>`, and `/<n>` for the n-th replay. */
function replayOf({ deduplicationId }: Message): number {
  return Number(deduplicationId.split('/')[2] ?? 0);
}

const HELD: Outcome = { kind: 'held', reason: 'no-such-destination', detail: '' };
const REJECTED: Outcome = { kind: 'reject', reason: 'invalid-message', detail: '', judge: 'broker' };
const SIBLING: Outcome = { kind: 'retry', reason: 'sibling-failed', detail: '' };

export class ModelConnection implements Adapter {
  readonly #broker: ModelBroker;
  readonly #moment: Moment;
  readonly #broken = Promise.withResolvers<never>();
  #closed = false;

  constructor(broker: ModelBroker, moment: Moment) {
    this.#broker = broker;
    this.#moment = moment;
    this.#broken.promise.catch(() => {});
  }

  async connect(): Promise<void> {
    await this.#moment('connect');
    if (!this.#broker.up) throw new Error('nobody listens');
    if (!this.#closed) this.#broker.connections.add(this);
  }

  async check(): Promise<readonly []> {
    return [];
  }

  publish(batch: readonly Message[]): Promise<readonly Outcome[]> {
    return Promise.race([this.#publish(batch), this.#broken.promise]);
  }

  async close(): Promise<void> {
    this.break('closed');
    await this.#moment('close');
  }

  break(why: string): void {
    this.#closed = true;
    this.#broker.connections.delete(this);
    this.#broken.reject(new ConnectionLost(why));
  }

  async #publish(batch: readonly Message[]): Promise<readonly Outcome[]> {
    await this.#moment('publish arrives');
    if (this.#closed) throw new ConnectionLost('closed');
    const broker = this.#broker;
    const before = batch.some(({ attributes }) => attributes.reason === 'poison') ? 0 : broker.breaks.shift();
    if (before !== undefined) return this.#breakAfter(batch, before);
    const hang = broker.hangs.shift();
    if (hang === 'lost') return new Promise(() => {});
    const outcomes = answers(batch, (message) => broker.answer(message));
    if (hang === 'stored') return new Promise(() => {});
    await this.#moment('publish answered');
    if (this.#closed) throw new ConnectionLost('closed');
    for (const [i, message] of batch.entries())
      if (outcomes[i]?.kind === 'delivered') broker.heard.add(letterName(message.attributes.id, replayOf(message)));
    return outcomes;
  }

  #breakAfter(batch: readonly Message[], stored: number): never {
    answers(batch.slice(0, stored), (message) => this.#broker.answer(message));
    this.#broker.hasBroken = true;
    this.break('reset');
    throw new ConnectionLost('reset');
  }
}

/** The order rule: behind one that fails, its key's others are not even tried. */
function answers(batch: readonly Message[], answer: (message: Message) => Outcome): readonly Outcome[] {
  const failed = new Set<string>();
  return batch.map((message) => {
    const outcome = failed.has(message.key) ? SIBLING : answer(message);
    if (outcome.kind !== 'delivered') failed.add(message.key);
    return outcome;
  });
}
