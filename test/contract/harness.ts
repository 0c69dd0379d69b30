/**
 * What the test of an adapter brings to the contract suite: a real broker, a reader that is another client than the
 * adapter's wherever there is one, and ways to make that broker misbehave.
 *
 * Everything is required. What a broker cannot do is stated as `absent`, with the reason, so that a new adapter does not
 * compile until each expectation is stated.
 */
import type {
  AdapterType,
  Capabilities,
  Destination,
  HeldReason,
  Message,
  Receipt,
  RejectReason,
  RetryReason,
} from '../../src/adapter.ts';

export interface Absent {
  readonly absent: string;
}

export function isAbsent(value: object): value is Absent {
  return 'absent' in value;
}

export type Mode = Capabilities['mode'];

/** The reasons that an adapter gives; the others are the core's own, or follow from one of these. */
export type AdapterReason = Exclude<
  RetryReason | HeldReason | RejectReason,
  'sibling-failed' | 'rejected-repeatedly' | 'breaks-connection' | 'corrupt-record'
>;

/** A row of the adapter's table error → outcome. */
export interface Fault {
  /** Completes the sentence "is the verdict on …". */
  readonly on: string;
  /** Of a reject: who decides. */
  readonly judge?: 'adapter' | 'broker';
  /** Sets the scene on the broker. The disposal undoes it. */
  arrange(): Promise<Spoiler & AsyncDisposable>;
}

interface Spoiler {
  /** The same message, as this fault hits it. */
  spoil(message: Message): Message;
}

/** A message as the reader found it on the broker. */
export interface Received {
  /** The broker's own key: record key, ordering key. */
  readonly key?: string;
  /** Headers, user properties or attributes, and `content-type` wherever the protocol carries it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Where the reader found it, in the words of the adapter's receipt; without it receipts are not compared. */
  readonly place?: Receipt;
}

export interface Reader extends AsyncDisposable {
  /** Everything so far, as soon as that is at least `count` messages; rejects when they do not come. */
  received(count: number): Promise<readonly Received[]>;
}

/** A CloudEvent as somebody else's code, or the plainest reading of the specification, understands it. */
export interface DecodedEvent {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly data: unknown;
}

/** Power over the broker's process. It comes back at the same address with all that it has stored. */
export interface BrokerProcess {
  /** It keeps its sockets open and answers nothing. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** It is gone without a farewell. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface Harness extends AsyncDisposable {
  /** The adapter's name, and the variant where its options make it another broker: `nats`, `nats, core`. */
  readonly name: string;
  readonly type: AdapterType;
  /** `type.capabilities`, but for what the options of this harness change. */
  readonly capabilities: Capabilities;
  /** The entry under `brokers`, as written in a config file. */
  readonly broker: unknown;
  /** What a route's `to` says beside the broker and the destination, for each content mode. */
  readonly routes: Readonly<Record<Mode, { readonly route: unknown } | Absent>>;
  /** The same broker with a login that it refuses: the entry, and the text that no error may show. */
  readonly wrongPassword: { readonly broker: unknown; readonly secret: string } | Absent;
  /** Part of the address, which an error about a broker that cannot be reached must name. */
  readonly address: string | Absent;
  readonly process: BrokerProcess | Absent;
  readonly faults: Readonly<Record<AdapterReason, Fault | readonly Fault[] | Absent>>;

  /** A destination of its own for each call, so that the cases do not disturb each other. */
  createDestination(): Promise<Destination>;
  /** Well-formed, and not there. */
  missingDestination(): Destination;
  /** Reads from the first message, or from now on where the broker stores nothing. */
  read(destination: Destination): Promise<Reader>;
  /** Throws when it is not a CloudEvent of the binding. */
  decode(received: Received): DecodedEvent;
}
