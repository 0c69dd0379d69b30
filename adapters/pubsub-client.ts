import type { v1 } from '@google-cloud/pubsub';
import { z } from 'zod';
import type { Secret } from '../src/adapter.ts';
import { networkProblem } from './network-problem.ts';
import { isStatusError, STATUS } from './pubsub-outcome.ts';

export type PublisherClient = InstanceType<typeof v1.PublisherClient>;

export interface PubSubLogin {
  readonly projectId: string;
  readonly endpoint: URL;
  readonly credentials: Secret | undefined;
}

/** A service account's key: https://cloud.google.com/iam/docs/keys-create-delete */
const keyFile = z.looseObject({
  type: z.literal('service_account'),
  client_email: z.string(),
  private_key: z.string(),
});

/**
 * Gives the way to open Google's generated client, without the queues of the SDK above it: those send again on their own,
 * block a key after a failure, and settle late or never.
 */
export async function publisherClient(login: PubSubLogin): Promise<() => Promise<PublisherClient>> {
  const { projectId, endpoint, credentials } = login;
  const key = await readKey(credentials);
  const [{ PubSub, v1 }, { JWT }] = await Promise.all([import('@google-cloud/pubsub'), import('google-auth-library')]);
  const scopes = ['https://www.googleapis.com/auth/pubsub'];
  const emulator = isEmulator(endpoint);
  const sdk = new PubSub({
    projectId,
    apiEndpoint: `${endpoint.hostname}:${endpoint.port || (emulator ? '80' : '443')}`,
    emulatorMode: emulator,
    ...(key && { authClient: new JWT({ email: key.client_email, key: key.private_key, scopes }) }),
    // An emulator asks for no credentials; without this it is Google's metadata server that is asked for some.
    ...(emulator && { clientOptions: { universeDomain: 'googleapis.com' } }),
  });
  return async () => {
    const config = await sdk.getClientConfig();
    // The client itself would leave its rejection unhandled, which ends the process.
    if (!emulator) await sdk.auth.getClient();
    // Without the option a pool of the whole process keeps the connection open after close.
    return new v1.PublisherClient({ ...config, 'grpc.use_local_subchannel_pool': 1 });
  };
}

function isEmulator(endpoint: URL): boolean {
  return endpoint.protocol === 'http:';
}

/** Whether requests can be sent and answered: an error of a channel that is ready was the service's own answer. */
export async function isReady(client: PublisherClient): Promise<boolean> {
  const stub: unknown = await client.publisherStub;
  return channelOwner.parse(stub).getChannel().getConnectivityState(false) === READY;
}

const READY = 2;

interface ChannelOwner {
  getChannel(): { getConnectivityState(tryToConnect: boolean): number };
}

/** The stub is a client of grpc-js, which its declared type hides. */
const channelOwner = z.custom<ChannelOwner>(
  (stub) => typeof stub === 'object' && stub !== null && 'getChannel' in stub,
);

/** A parser's message repeats a piece of what it read, so its error goes no further. */
async function readKey(credentials: Secret | undefined): Promise<z.output<typeof keyFile> | undefined> {
  if (credentials === undefined) return undefined;
  const text = await credentials.reveal();
  try {
    return keyFile.parse(JSON.parse(text));
  } catch {
    throw new Error(
      `credentials, from ${credentials.origin}: this is no service account's key in JSON. For other kinds leave it out and name the file in GOOGLE_APPLICATION_CREDENTIALS.`,
    );
  }
}

/** What is wrong, where, and what to do. It keeps no cause: an answer to a login may repeat what was sent. */
export function explainConnect(error: unknown, { endpoint, credentials }: PubSubLogin): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (/default credentials/i.test(text)) {
    const how = 'say credentials: { file: PATH }, or run `gcloud auth application-default login`';
    return new Error(`No credentials for Pub/Sub are found: ${how}.`);
  }
  if (isStatusError(error) && error.code === STATUS.unauthenticated && !NETWORK_CODE.test(text)) {
    const where = credentials === undefined ? 'the default credentials' : `the credentials from ${credentials.origin}`;
    return new Error(`Pub/Sub at ${endpoint.host} refused ${where}. Is that key still valid?`);
  }
  const hint = isEmulator(endpoint) ? 'Is the emulator running there?' : 'Is the network up?';
  return new Error(`Cannot reach Pub/Sub at ${endpoint.host}: ${channelProblem(error)}. ${hint}`);
}

const NETWORK_CODE = /\bE(?:CONN[A-Z]+|HOSTUNREACH|NETUNREACH|TIMEDOUT|NOTFOUND|AI_AGAIN|PIPE)\b/;

/** grpc-js leaves the code of a socket's error in the text only. */
export function channelProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = NETWORK_CODE.exec(error.message)?.[0];
  const details = isStatusError(error) ? error.details : error.message;
  return networkProblem(code === undefined ? new Error(details) : Object.assign(new Error(details), { code }));
}
