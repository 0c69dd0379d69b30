/** A message as its reader understands it. */
import { CloudEvent, HTTP } from 'cloudevents';
import type { Receipt } from '../../src/adapter.ts';
import type { Received } from '../contract/harness.ts';

/** A CloudEvent in the order in which the subscriber got it. */
export interface Seen {
  readonly id: string;
  readonly partitionkey: string;
  readonly sequence: string;
  /** Parts of one topic that have an order of their own, such as the partitions; the order holds within each. */
  readonly part: string;
  /** Where it lies on the broker, as `placeOf` writes it; undefined where the broker has no name for that. */
  readonly place?: string;
  /** The broker's own key, where it has one. */
  readonly key: string | undefined;
  readonly type: string;
  /** All of the envelope's, by name. */
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly data: unknown;
}

/** What a receipt names, less whether it was a repeat: two receipts of one message give the same text. */
export function placeOf({ duplicate: _, ...names }: Receipt): string {
  return Object.keys(names)
    .sort()
    .map((name) => `${name} ${names[name]}`)
    .join(', ');
}

/** As the CloudEvents SDK understands it, which shares no code with the daemon. */
export function decode({ key, headers, body, place }: Received, part: string): Seen {
  const plain = Object.entries(headers).map(([name, value]) => {
    const attribute = name.toLowerCase().replace(/^ce[-_]/, 'ce-');
    return [attribute, attribute === 'content-type' ? value.split(';')[0] : value] as const;
  });
  const event = HTTP.toEvent({ headers: Object.fromEntries(plain), body: new TextDecoder().decode(body) });
  if (!(event instanceof CloudEvent)) throw new Error('not one CloudEvent');
  event.validate();
  const { data, ...attributes } = event.toJSON();
  const { id, partitionkey, sequence, type } = attributes;
  return {
    id: String(id),
    partitionkey: String(partitionkey),
    sequence: String(sequence),
    part,
    ...(place && { place: placeOf(place) }),
    key,
    type: String(type),
    attributes,
    data,
  };
}

/**
 * As `decode`, once for each message, however often it is looked at: what the SDK does takes most of the time of a look.
 * `name` tells a message from all others; without one, everything in it does. `lean` may leave out what nobody asks for.
 */
export function decoder(lean = (seen: Seen): Seen => seen) {
  const known = new Map<string, Seen>();
  return (received: Received, part: string, name = wholeOf(received, part)): Seen => {
    const seen = known.get(name) ?? lean(decode(received, part));
    known.set(name, seen);
    return seen;
  };
}

function wholeOf({ body, ...rest }: Received, part: string): string {
  return `${part} ${JSON.stringify(rest)} ${Buffer.from(body).toString('latin1')}`;
}
