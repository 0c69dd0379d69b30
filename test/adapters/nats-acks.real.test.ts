import { randomUUID } from 'node:crypto';
import {
  connect,
  headers,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { Acks } from '../../adapters/nats-acks.ts';
import { backend } from '../backends/backend.ts';

const nats = backend('nats');
const BODY = Buffer.from('{}');
const SOON_MS = 300;

async function connected(user?: string): Promise<NatsConnection & AsyncDisposable> {
  const login = user === undefined ? {} : { user, pass: nats?.login?.password ?? '' };
  const connection = await connect({ servers: nats?.url ?? '', reconnect: false, ...login });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

describe.skipIf(nats === null)('a publish to NATS that is answered for', () => {
  it('has its own answer, in whatever order they come', async () => {
    await using connection = await connected();
    const subject = `acks.${randomUUID()}`;
    const held: (() => void)[] = [];
    connection.subscribe(subject, {
      callback: (_, asked) => {
        held.push(() => asked.respond(asked.data));
        if (held.length === 20) for (const answer of held.toReversed()) answer();
      },
    });
    const acks = new Acks(connection, 10_000);
    const sent = Array.from({ length: 20 }, (_, at) => String(at));
    const answers = await Promise.all(sent.map((text) => acks.publish(subject, Buffer.from(text), headers())));
    expect(answers.map((answer) => answer.string())).toEqual(sent);
    acks.close();
  });

  it('is told when nobody listens, and when the answer does not come in time; the others still have theirs', async () => {
    await using connection = await connected();
    const [silent, lively] = [`acks.${randomUUID()}`, `acks.${randomUUID()}`];
    connection.subscribe(silent, { callback: () => {} });
    connection.subscribe(lively, { callback: (_, asked) => void asked.respond(BODY) });
    const acks = new Acks(connection, SOON_MS);
    const late = acks.publish(silent, BODY, headers());
    const answered = acks.publish(lively, BODY, headers());
    await expect(acks.publish(`acks.${randomUUID()}`, BODY, headers())).rejects.toThrow(NoRespondersError);
    expect((await answered).string()).toBe('{}');
    await expect(late).rejects.toThrow(TimeoutError);
    expect((await acks.publish(lively, BODY, headers())).string()).toBe('{}');
    await expect(acks.publish(silent, BODY, headers())).rejects.toThrow(TimeoutError);
    acks.close();
  });

  it('is refused when its login may not publish there, and only that one', async () => {
    await using connection = await connected('limited');
    await using other = await connected();
    const subject = `allowed.${randomUUID()}`;
    other.subscribe(subject, { callback: (_, asked) => void asked.respond(BODY) });
    await other.flush();
    const acks = new Acks(connection, 10_000);
    const answered = acks.publish(subject, BODY, headers());
    await expect(acks.publish(`forbidden.${randomUUID()}`, BODY, headers())).rejects.toThrow(PermissionViolationError);
    expect((await answered).string()).toBe('{}');
    acks.close();
  });
});
