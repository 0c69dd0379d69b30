import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Arrivals } from './arrivals.ts';
import type { Reader, Received } from './harness.ts';

interface Subscription {
  readonly url: string;
  readonly topic: string;
  readonly protocolVersion: 4 | 5;
  readonly login?: { readonly user: string; readonly password: string };
}

/** What `%j` prints of a message. */
interface Line {
  readonly properties?: { readonly 'content-type'?: string; readonly 'user-properties'?: Record<string, string> };
}

/** Mosquitto's own client, in C: it shares no code with the adapter. Subscribed when it is given back. */
export async function mosquittoSub({ url, topic, protocolVersion, login }: Subscription): Promise<Reader> {
  const { hostname, port } = new URL(url);
  const version = protocolVersion === 5 ? 'mqttv5' : 'mqttv311';
  // The debug lines, unbuffered, tell when the subscription stands; the payload comes in hexadecimal, beside the rest.
  const tool = ['-oL', 'mosquitto_sub', '-d', '-h', hostname, '-p', port, '-V', version, '-q', '1'];
  const user = login ? ['-u', login.user, '-P', login.password] : [];
  const child = spawn('stdbuf', [...tool, ...user, '-t', topic, '-F', 'MESSAGE %x %j'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const arrivals = new Arrivals();
  const subscribed = Promise.withResolvers<void>();
  exit.then(() => subscribed.reject(new Error('mosquitto_sub has ended.')));
  onLine(child.stdout.setEncoding('utf8'), (line) => {
    if (line.startsWith('Subscribed ')) subscribed.resolve();
    if (line.startsWith('MESSAGE ')) arrivals.add(parse(line));
  });
  await subscribed.promise;
  return {
    received: (count) => arrivals.received(count),
    async [Symbol.asyncDispose]() {
      child.kill();
      await exit;
    },
  };
}

/** node:readline takes U+2028, which a message may hold, for the end of a line. */
function onLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(take);
  });
}

function parse(line: string): Received {
  const [, hex = '', ...rest] = line.split(' ');
  const { properties = {} }: Line = JSON.parse(rest.join(' '));
  const { 'content-type': contentType, 'user-properties': headers = {} } = properties;
  return {
    headers: { ...headers, ...(contentType !== undefined && { 'content-type': contentType }) },
    body: Buffer.from(hex, 'hex'),
  };
}
