import fc from 'fast-check';
import pino from 'pino';
import { expect, test } from 'vitest';
import { pubsub } from '../../adapters/pubsub.ts';
import { explainConnect } from '../../adapters/pubsub-client.ts';
import { REQUEST_LIMITS, refusalOf, toPubSub } from '../../adapters/pubsub-message.ts';
import { Secret } from '../../src/adapter.ts';
import { message } from '../contract/message.ts';

const endpoint = new URL('https://pubsub.googleapis.com');

test('an ordering key of any length is legal, and different keys stay different', () => {
  const keyOf = (key: string) => toPubSub(message({ destination: 'any', key }), 'binary').orderingKey;
  const unit = fc.constantFrom('a', 'é', '日', '🙈');
  fc.assert(
    fc.property(fc.string({ unit, minLength: 200, maxLength: 1_500 }), (key) => {
      const ours = keyOf(key);
      expect(Buffer.byteLength(ours)).toBeLessThanOrEqual(1_024);
      expect(ours).not.toContain('\ufffd');
      expect(keyOf(`${key}x`)).not.toBe(ours);
      if (Buffer.byteLength(key) <= 1_024) expect(ours).toBe(key);
    }),
    { numRuns: 50 },
  );
});

test('a message of just the limit is sent, one byte more is a reject of ours', () => {
  const noted = (note: string) => toPubSub(message({ destination: 'any', data: { note } }), 'binary');
  const most = 'x'.repeat(REQUEST_LIMITS.bytes - noted('').bytes);
  expect(refusalOf(noted(most))).toBeUndefined();
  expect(refusalOf(noted(`${most}x`))).toMatchObject({ kind: 'reject', reason: 'too-large', judge: 'adapter' });
});

test('an emulator is an http: URL, and no credentials are ever sent there', () => {
  const parse = (broker: object) => pubsub.brokerOptions.safeParse({ projectId: 'my-project', ...broker });
  expect(parse({}).data).toMatchObject({ endpoint: 'https://pubsub.googleapis.com' });
  expect(parse({ endpoint: 'http://localhost:8085' }).success).toBe(true);
  expect(parse({ endpoint: 'localhost:8085' }).error?.issues[0]?.message).toContain(
    'http://localhost:8085 for an emulator',
  );
  expect(parse({ endpoint: 'http://localhost:8085', credentials: { file: '/key' } }).success).toBe(false);
});

test('a credentials file that is no key is named, and nothing of it is shown', async () => {
  const broker = { projectId: 'my-project', endpoint: endpoint.href, credentials: Secret.of('-----BEGIN hunter2') };
  const created = pubsub.create(broker, { mode: 'binary' }, { clientId: 'test', log: pino({ level: 'silent' }) });
  await expect(created).rejects.toThrow(/^credentials, from .*: this is no service account's key/);
  await expect(created).rejects.not.toThrow(/hunter2/);
});

test('why there is no connection is said with what to do', () => {
  const status = (code: number, details: string) =>
    Object.assign(new Error(`${code} X: ${details}`), { code, details });
  const said = (error: Error, at = endpoint) =>
    explainConnect(error, { projectId: 'p', endpoint: at, credentials: undefined });
  expect(said(new Error('Could not load the default credentials. Browse to …')).message).toMatch(/gcloud auth/);
  expect(said(status(16, 'Request had invalid authentication credentials.')).message).toMatch(
    /pubsub\.googleapis\.com refused the default credentials\. Is that key still valid\?/,
  );
  const plugin =
    'Getting metadata from plugin failed with error: request failed, getaddrinfo ENOTFOUND oauth2.googleapis.com';
  expect(said(status(16, plugin)).message).toMatch(
    /Cannot reach .* there is no host of that name\. Is the network up\?/,
  );
  const emulator = new URL('http://localhost:8085');
  const refused = 'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:8085';
  expect(said(status(14, refused), emulator).message).toBe(
    'Cannot reach Pub/Sub at localhost:8085: nothing listens there. Is the emulator running there?',
  );
});
