import { v1 } from '@google-cloud/pubsub';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PubSubAdapter } from '../../adapters/pubsub-publish.ts';
import { ConnectionLost } from '../../src/adapter.ts';
import { message } from '../contract/message.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const never = new AbortController().signal;
const login = { projectId: 'p', endpoint: new URL('http://127.0.0.1:1'), credentials: undefined };

const inMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A connected adapter whose service answers each publish as `answer` does, on a channel that looks healthy. */
async function answering(answer: (topic: string) => Promise<string>): Promise<PubSubAdapter> {
  const client = Object.assign(new v1.PublisherClient({ projectId: 'p' }), {
    publisherStub: Promise.resolve({ getChannel: () => ({ getConnectivityState: () => 2 }) }),
    getTopic: async () => [{}],
    publish: async ({ topic }: { topic: string }) => [{ messageIds: [await answer(topic)] }],
    close: async () => {},
  });
  const adapter = new PubSubAdapter(async () => client, login, 'binary');
  await adapter.connect(never);
  return adapter;
}

async function expire(): Promise<never> {
  await inMs(19_999);
  throw Object.assign(new Error('4 DEADLINE_EXCEEDED: Deadline exceeded'), { code: 4, details: 'Deadline exceeded' });
}

test('requests that expire one after another are a lost connection, and no sign of life for each other', async () => {
  const adapter = await answering(async (topic) => {
    if (!topic.endsWith('answered')) return expire();
    await inMs(1_000);
    return 'm1';
  });
  const publish = (destination: string) => adapter.publish([message({ destination })], never);
  const [answered, alone] = [publish('answered'), publish('silent')];
  await vi.advanceTimersByTimeAsync(10_000);
  const later = publish('silent').catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await answered).toMatchObject([{ kind: 'delivered' }]);
  expect(await alone).toMatchObject([{ kind: 'retry', reason: 'timeout' }]);
  expect(await later).toBeInstanceOf(ConnectionLost);
});
