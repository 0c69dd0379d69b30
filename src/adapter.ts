/**
 * The seam between kube-fanout and a broker.
 *
 * An adapter is one file in `adapters/`: an `AdapterType` that says what the broker can do and loads no SDK, and the
 * `Adapter` that it creates, which is one connection for one route. The guard in `src/delivery/guard.ts` wraps every
 * adapter: it calls connect first, demands one outcome for each message, keeps the deadlines, and calls nothing after
 * close. So an adapter holds no lifecycle flags and no retry logic: it says what happened, the core decides what to do.
 */
import type { Logger } from 'pino';
import type { ZodType } from 'zod';
import type { Attributes } from './envelope/cloud-event.ts';

export { choice } from './choice.ts';
export { type Attributes, attributeEntries, STRUCTURED_CONTENT_TYPE, structuredJson } from './envelope/cloud-event.ts';
export { Secret, secret } from './secret.ts';

/** A topic or subject, as the broker knows it. */
export type Destination = string;

export interface Message {
  readonly destination: Destination;
  /** Messages of one key stay in order. */
  readonly key: string;
  readonly attributes: Attributes;
  /** UTF-8 JSON. */
  readonly data: Uint8Array;
  /** The same for every attempt at this message on this route: `<id>/<route>`, and `/<n>` for the n-th replay. */
  readonly deduplicationId: string;
}

/** How the broker names what it stored: topic, partition and offset; stream and sequence; message id. */
export type Receipt = Readonly<Record<string, string | number | boolean>>;

/** Why a message was not delivered: closed, for these are metric labels, dead-letter reasons and a table in the docs. */
export const REASONS = {
  retry: ['throttled', 'unavailable', 'timeout', 'sibling-failed'],
  held: ['no-such-destination', 'not-authorized', 'destination-full', 'rejected-repeatedly'],
  reject: ['too-large', 'invalid-destination', 'invalid-message', 'breaks-connection', 'corrupt-record'],
} as const;
export type RetryReason = (typeof REASONS.retry)[number];
export type HeldReason = (typeof REASONS.held)[number];
export type RejectReason = (typeof REASONS.reject)[number];

/** The verdict on one message. `detail` is a sentence for a person, without any secret. */
export type Outcome =
  /** The broker has acknowledged it as durably as it is configured to. */
  | { readonly kind: 'delivered'; readonly receipt: Receipt }
  /** It may pass soon. `afterMs` is the wait that the broker asked for. */
  | { readonly kind: 'retry'; readonly reason: RetryReason; readonly detail: string; readonly afterMs?: number }
  /** The destination takes nothing until an operator mends it. */
  | { readonly kind: 'held'; readonly reason: HeldReason; readonly detail: string }
  /** This message can never pass. `judge` says who decided: only the broker's repeated verdicts hold a destination. */
  | {
      readonly kind: 'reject';
      readonly reason: RejectReason;
      readonly detail: string;
      readonly judge: 'adapter' | 'broker';
    };

/** The connection is gone, and with it any knowledge of the messages under way. Thrown, never a verdict on a message. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** What `check` found out about one destination. */
export interface Finding {
  readonly destination: Destination;
  readonly problem: string | undefined;
}

export interface Adapter {
  /**
   * Settles when the broker has accepted the login and would take a publish; rejects with what is wrong, in words that
   * name the address and the remedy. Called once. The core reconnects by creating a new adapter, so the SDK's own
   * reconnecting is off wherever it can be. After an abort nothing is left open.
   */
  connect(signal: AbortSignal): Promise<void>;
  /** Login, existence, permission of each destination; changes nothing on the broker. May overlap with publish. */
  check(destinations: readonly Destination[], signal: AbortSignal): Promise<readonly Finding[]>;
  /**
   * Settles when the broker has answered for every message, with one outcome each, in the batch's order; throws
   * ConnectionLost when it cannot answer any more. Up to `parallelism` calls overlap, never two that hold the same key.
   * SDK retries are off: the core retries. After an abort a message may or may not have been stored.
   *
   * The order rule: when a message is not delivered, no later one of the same key in the batch has been.
   */
  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]>;
  /** Releases everything within a second or two, whatever state the connection is in. Nothing is called after it. */
  close(): Promise<void>;
}

/** How a destination is named: `field` is its key in a route's `to`, or undefined where there is only one. */
export interface DestinationRules {
  readonly field: 'topic' | 'subject' | undefined;
  /** Makes one interpolated value safe as a part of a name: never empty, no separator, wildcard or control character. */
  escape(value: string): string;
  /** What is wrong with a whole name, in words, or undefined when the broker would take it. */
  refuse(destination: Destination): string | undefined;
}

/** What the broker can do: it drives the contract suite, the table in the docs and the config check alike. */
export interface Capabilities {
  /** Several messages of one key may stand in one batch; otherwise the core sends one at a time. */
  readonly orderedBatches: boolean;
  /** Messages in one publish call, at most. */
  readonly batchSize: number;
  /** Publish calls of one route under way at once, at most. */
  readonly parallelism: number;
  /** The broker says when a destination does not exist; otherwise anything may be published to. */
  readonly knowsDestinations: boolean;
  /** The acknowledgement means that the message is stored for those who come later. */
  readonly stores: boolean;
  /** The broker drops repeats by the deduplication id, for a while. */
  readonly deduplicates: boolean;
  /** The CloudEvents content mode used unless the options say otherwise. */
  readonly mode: 'binary' | 'structured';
}

export interface AdapterContext {
  /** Unique in this daemon, for client ids and connection names. */
  readonly clientId: string;
  readonly log: Logger;
}

/** A broker inside this daemon. */
export interface ServedBroker<Broker> extends AsyncDisposable {
  /** Where to subscribe, for people. */
  readonly address: string;
  /** How its routes reach it. */
  readonly options: Broker;
  /** Settles when there is somebody to deliver to: its routes start then. */
  ready(signal: AbortSignal): Promise<void>;
}

/** An adapter before it is connected. `Broker` is its entry under `brokers`, `Route` what a route's `to` adds to it. */
export interface AdapterType<Broker = unknown, Route = unknown> {
  readonly name: string;
  readonly brokerOptions: ZodType<Broker>;
  /** Strict; without `broker` and the destination's field. */
  readonly routeOptions: ZodType<Route>;
  readonly destination: DestinationRules;
  readonly capabilities: Capabilities;
  /**
   * Where the options ask for a broker inside this daemon: starts it, once, before the broker's routes; undefined where
   * they do not.
   */
  serve?(broker: Broker, log: Logger): Promise<ServedBroker<Broker> | undefined>;
  /** Loads the SDK, which is why it is asynchronous; opens nothing. Secrets are read here, at each connect anew. */
  create(broker: Broker, route: Route, context: AdapterContext): Promise<Adapter>;
}
