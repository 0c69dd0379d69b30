import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goProgram, PSTEST } from './machine.ts';
import { freePort, Program } from './process.ts';
import { handOver, type Started } from './source.ts';

/** Google's own fake of Pub/Sub. It keeps everything in memory: killed and started again it is empty. */
export interface PubSubAddress {
  /** `host:port`, what PUBSUB_EMULATOR_HOST holds. */
  readonly endpoint: string;
}

export interface PubSubBackend extends Started<PubSubAddress> {
  readonly program: Program;
}

export async function startPubSub(): Promise<PubSubBackend> {
  await using scope = new AsyncDisposableStack();
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-pubsub-'))).path;
  const port = await freePort();
  const endpoint = `127.0.0.1:${port}`;
  const program = await Program.start({
    name: 'pubsub',
    command: await goProgram(PSTEST),
    args: [endpoint],
    log: join(directory, 'pstest.log'),
    ready: (signal) => accepts(port, signal),
  });
  scope.use(program);
  return handOver(scope, { address: { endpoint }, program });
}

async function accepts(port: number, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, signal });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
