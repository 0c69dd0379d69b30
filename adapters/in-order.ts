import type { Message, Outcome, Receipt } from '../src/adapter.ts';

export type Refusal = Exclude<Outcome, { readonly kind: 'delivered' }>;

/** The broker's answer to one request: a receipt for each of its messages, or one refusal for them all. */
export type Answer = { readonly kind: 'stored'; readonly receipts: readonly Receipt[] } | Refusal;

interface Sendable {
  readonly message: Message;
}

/** The outcomes of one publish as they come in, and the order rule: behind a failure nothing of its key is sent. */
export class Verdicts {
  readonly #outcomes = new Map<Message, Outcome>();
  readonly #stopped = new Set<string>();

  settle(message: Message, outcome: Outcome): void {
    this.#outcomes.set(message, outcome);
    if (outcome.kind !== 'delivered') this.#stopped.add(message.key);
  }

  /** Those that the adapter itself finds nothing wrong with; the others, and all behind them, get their verdict here. */
  sound<Item extends Sendable>(items: readonly Item[], judge: (item: Item) => Refusal | undefined): Item[] {
    const stopped = new Set<string>();
    return items.filter((item) => {
      const { message } = item;
      const refusal = stopped.has(message.key) ? BEHIND_ANOTHER : judge(item);
      if (refusal === undefined) return true;
      this.#outcomes.set(message, refusal);
      stopped.add(message.key);
      return false;
    });
  }

  /** Those behind no failure; the others get their verdict here: they come again, in their order. */
  sendable<Item extends Sendable>(items: readonly Item[]): Item[] {
    return items.filter(({ message }) => {
      const stopped = this.#stopped.has(message.key);
      if (stopped) this.#outcomes.set(message, BEHIND_ANOTHER);
      return !stopped;
    });
  }

  /** One for each message of the batch. Silence is never success. */
  of(batch: readonly Message[]): readonly Outcome[] {
    return batch.map((message) => this.#outcomes.get(message) ?? UNANSWERED);
  }
}

/**
 * Sends one batch after another. A broker that rejects a batch of many does not say which message it means: they are
 * then sent one by one. What is refused for a while or until somebody mends it ends the work, for it hits the rest too.
 */
export async function sendInOrder<Item extends Sendable>(work: {
  readonly batches: readonly (readonly Item[])[];
  readonly send: (batch: readonly Item[]) => Promise<Answer>;
  readonly verdicts: Verdicts;
}): Promise<void> {
  const { send, verdicts } = work;
  const queue = [...work.batches];
  for (let planned = queue.shift(); planned; planned = queue.shift()) {
    const batch = verdicts.sendable(planned);
    if (batch.length === 0) continue;
    const answer = await send(batch);
    if (answer.kind === 'stored') {
      for (const [index, { message }] of batch.entries()) {
        const receipt = answer.receipts[index];
        verdicts.settle(message, receipt ? { kind: 'delivered', receipt } : UNANSWERED);
      }
    } else if (answer.kind === 'reject' && batch.length > 1) {
      queue.unshift(...batch.map((item) => [item]));
    } else {
      const hit = answer.kind === 'reject' ? batch : [batch, ...queue.splice(0)].flat();
      for (const { message } of hit) verdicts.settle(message, answer);
    }
  }
}

/** The items in their order, in batches within the limits. An item over the limit of bytes has one of its own. */
export function inBatches<Item extends { readonly bytes: number }>(
  items: readonly Item[],
  limits: { readonly bytes: number; readonly count?: number },
): Item[][] {
  const batches: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const { bytes } = item;
    const last = batches.at(-1);
    if (last !== undefined && bytes <= room && last.length !== limits.count) {
      last.push(item);
      room -= bytes;
    } else {
      batches.push([item]);
      room = limits.bytes - bytes;
    }
  }
  return batches;
}

const BEHIND_ANOTHER: Refusal = {
  kind: 'retry',
  reason: 'sibling-failed',
  detail: 'An earlier message of the same key was not delivered.',
};

const UNANSWERED: Refusal = { kind: 'retry', reason: 'unavailable', detail: 'The broker gave no answer for it.' };
