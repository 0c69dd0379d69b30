import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudEvent, HTTP } from 'cloudevents';
import { lineAdapter } from '../../adapters/stdout.ts';
import type { Harness, Received } from './harness.ts';
import { adapterContract } from './suite.ts';

async function stdoutHarness(): Promise<Harness> {
  const directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-stdout-'));
  const file = join(directory.path, 'lines');
  const stream = createWriteStream(file);
  await once(stream, 'open');
  const type = lineAdapter(() => stream);
  const lines = async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  const never = { absent: 'whatever is written, the system takes it' };
  return {
    name: 'stdout',
    type,
    capabilities: type.capabilities,
    broker: {},
    routes: { structured: { route: {} }, binary: { absent: 'a line has no headers' } },
    wrongPassword: { absent: 'there is no login' },
    address: { absent: 'there is no address' },
    process: {
      absent: 'a pipe takes bytes while its reader sleeps; test/adapters/stdout.test.ts has a reader that leaves',
    },
    faults: {
      'no-such-destination': never,
      'not-authorized': never,
      'destination-full': never,
      throttled: never,
      unavailable: never,
      timeout: never,
      'too-large': never,
      'invalid-destination': never,
      'invalid-message': never,
    },
    createDestination: async () => 'stdout',
    missingDestination: () => randomUUID(),
    async read() {
      const before = (await lines()).length;
      return {
        async received(count) {
          const found = (await lines()).slice(before);
          if (found.length < count) throw new Error(`${found.length} of ${count} lines`);
          return found.map((line) => ({ headers: {}, body: new TextEncoder().encode(line) }));
        },
        async [Symbol.asyncDispose]() {},
      };
    },
    decode,
    async [Symbol.asyncDispose]() {
      stream.end();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function decode({ body }: Received) {
  const headers = { 'content-type': 'application/cloudevents+json' };
  const event = HTTP.toEvent({ headers, body: new TextDecoder().decode(body) });
  if (!(event instanceof CloudEvent)) throw new Error('not one CloudEvent');
  event.validate();
  const { data, ...attributes } = event.toJSON();
  return { attributes, data };
}

adapterContract(await stdoutHarness());
