import { PubSub } from '@google-cloud/pubsub';
import { toPubSub } from '../../../adapters/pubsub-message.ts';
import { once, type RawClient } from './client.ts';

/** Google's client with its ordering keys: a request for each key that has something, one at a time. */
export async function rawPubSub(endpoint: string, projectId: string, name: string): Promise<RawClient> {
  const clientOptions = { universeDomain: 'googleapis.com' };
  const sdk = new PubSub({ projectId, apiEndpoint: endpoint, emulatorMode: true, clientOptions });
  const topic = sdk.topic(name, {
    messageOrdering: true,
    batching: { maxMessages: 1_000, maxMilliseconds: 5 },
    flowControlOptions: { maxOutstandingMessages: 100_000 },
  });
  const made = once((message) => {
    const { data, attributes, orderingKey } = toPubSub(message, 'binary');
    return { data: Buffer.from(data), attributes: { ...attributes }, orderingKey };
  });
  return {
    async send(batch) {
      await Promise.all(batch.map((message) => topic.publishMessage(made(message))));
    },
    [Symbol.asyncDispose]: () => sdk.close(),
  };
}
