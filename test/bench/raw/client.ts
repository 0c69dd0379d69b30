import type { Message } from '../../../src/adapter.ts';

/** A broker's own client with nothing else to do: what kube-fanout is measured against. */
export interface RawClient extends AsyncDisposable {
  /** Publishes a batch with the daemon's guarantees and settles when the broker has acknowledged all of it. */
  send(batch: readonly Message[]): Promise<void>;
}

/** How the client is called, where that was found to be the fastest. */
export interface Pace {
  /** Messages in one call. */
  readonly batch: number;
  /** Calls under way at once. */
  readonly underWay: number;
}

/** Each message is made into what the client takes only once: a client that publishes the same again pays no more. */
export function once<Made>(make: (message: Message) => Made): (message: Message) => Made {
  const made = new Map<Message, Made>();
  return (message) => {
    const known = made.get(message);
    if (known !== undefined) return known;
    const fresh = make(message);
    made.set(message, fresh);
    return fresh;
  };
}
