import { randomUUID } from 'node:crypto';
import { PubSub, v1 } from '@google-cloud/pubsub';
import { CloudEvent, HTTP } from 'cloudevents';
import { pubsub } from '../../adapters/pubsub.ts';
import type { Message } from '../../src/adapter.ts';
import { startPubSub } from '../backends/pubsub.ts';
import type { DecodedEvent, Fault, Harness, Received } from './harness.ts';
import { canStart, powerOver } from './own-broker.ts';
import { adapterContract } from './suite.ts';

const PROJECT = 'contract';

async function pubSubHarness(): Promise<Harness> {
  await using scope = new AsyncDisposableStack();
  const { address, program } = scope.use(await startPubSub());
  const sdk = new PubSub({
    projectId: PROJECT,
    apiEndpoint: address.endpoint,
    emulatorMode: true,
    clientOptions: { universeDomain: 'googleapis.com' },
  });
  const reader = new v1.SubscriberClient({ ...(await sdk.getClientConfig()) });
  scope.defer(() => reader.close());
  scope.defer(() => sdk.close());
  const topics: string[] = [];
  const create = async (suffix = '') => {
    const topic = `contract-${randomUUID()}${suffix}`;
    await sdk.createTopic(topic);
    topics.push(topic);
    return topic;
  };
  const fault = (on: string, code: number): Fault => spoiling(on, () => create(`-fails-${code}`));
  const harness: Omit<Harness, typeof Symbol.asyncDispose> = {
    name: 'pubsub',
    type: pubsub,
    capabilities: pubsub.capabilities,
    broker: { projectId: PROJECT, endpoint: `http://${address.endpoint}` },
    routes: { binary: { route: {} }, structured: { route: { mode: 'structured' } } },
    wrongPassword: { absent: 'the fake asks for no login' },
    address: address.endpoint,
    process: powerOver(program, async () => {
      // The fake keeps nothing.
      for (const topic of topics) await sdk.createTopic(topic);
    }),
    faults: {
      'no-such-destination': spoiling('a topic that is not there', async () => `missing-${randomUUID()}`),
      'not-authorized': fault('a topic that the service says PERMISSION_DENIED for', 7),
      throttled: fault('a topic that the service says RESOURCE_EXHAUSTED for', 8),
      timeout: fault('a topic that the service says DEADLINE_EXCEEDED for', 4),
      unavailable: [
        fault('a topic that the service says UNAVAILABLE for', 14),
        fault('a topic that the service says INTERNAL for', 13),
        fault('a topic that the service says ABORTED for', 10),
      ],
      'too-large': { ...spoiling('a message of over 10 MB', () => create(), 10_000_000), judge: 'adapter' },
      'invalid-message': [
        { ...fault('a topic that the service says INVALID_ARGUMENT for', 3), judge: 'broker' },
        {
          on: 'an attribute that is too long',
          judge: 'adapter',
          arrange: async () => ({
            spoil: (message) => ({ ...message, attributes: { ...message.attributes, reason: 'x'.repeat(1_025) } }),
            async [Symbol.asyncDispose]() {},
          }),
        },
      ],
      'invalid-destination': { absent: 'a name that Pub/Sub does not take is INVALID_ARGUMENT as well' },
      'destination-full': { absent: 'a topic is never full' },
    },
    createDestination: () => create(),
    missingDestination: () => `missing-${randomUUID()}`,
    async read(topic) {
      const [subscription] = await sdk.topic(topic).createSubscription(`read-${randomUUID()}`, {
        enableMessageOrdering: true,
      });
      const found: Received[] = [];
      return {
        received: async (count) => {
          const deadline = Date.now() + 15_000;
          while (found.length < count) {
            if (Date.now() > deadline) throw new Error(`${found.length} of ${count} messages in ${topic}`);
            found.push(...(await pull(reader, subscription.name, topic)));
          }
          return found;
        },
        [Symbol.asyncDispose]: async () => {},
      };
    },
    decode,
  };
  const owned = scope.move();
  return { ...harness, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function spoiling(on: string, topic: () => Promise<string>, bytes = 10): Fault {
  return {
    on,
    arrange: async () => {
      const destination = await topic();
      const data = new TextEncoder().encode(JSON.stringify('x'.repeat(bytes)));
      const spoil = (message: Message) => ({ ...message, destination, data });
      return { spoil, [Symbol.asyncDispose]: async () => {} };
    },
  };
}

async function pull(
  reader: InstanceType<typeof v1.SubscriberClient>,
  subscription: string,
  topic: string,
): Promise<readonly Received[]> {
  const [{ receivedMessages }] = await reader.pull({ subscription, maxMessages: 1_000 });
  const messages = receivedMessages ?? [];
  const ackIds = messages.map(({ ackId }) => ackId ?? '');
  if (ackIds.length > 0) await reader.acknowledge({ subscription, ackIds });
  return messages.map(({ message }) => ({
    key: message?.orderingKey ?? '',
    headers: message?.attributes ?? {},
    body: Buffer.from(message?.data ?? ''),
    place: { topic, messageId: message?.messageId ?? '' },
  }));
}

/** `ce-` attributes and a content type are what the HTTP binding has for headers, so its decoder reads them. */
function decode({ headers, body }: Received): DecodedEvent {
  if (headers['content-type'] !== headers['Content-Type']) throw new Error('the two content types differ');
  const { 'Content-Type': type, ...http } = headers;
  // Of the structured mode it takes no charset.
  const message = { headers: { ...http, 'content-type': type?.split(';')[0] }, body: new TextDecoder().decode(body) };
  const event = HTTP.toEvent(message);
  if (!(event instanceof CloudEvent)) throw new Error('not one CloudEvent');
  event.validate();
  const { data, ...attributes } = event.toJSON();
  return { attributes, data };
}

if (await canStart('pubsub')) adapterContract(await pubSubHarness());
