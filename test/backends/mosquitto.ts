import { chmod, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { createCertificates } from './certificates.ts';
import { command, locate } from './machine.ts';
import { freePort, Program } from './process.ts';
import { handOver, type Started } from './source.ts';

/** Mosquitto 2: persistent, and without a limit to what it queues for a subscriber. */
export interface MosquittoAddress {
  /** Needs no login. */
  readonly url: string;
  /** The same broker with a login. `limited` may publish below `allowed/` only, and subscribe to all. */
  readonly login?: { readonly url: string; readonly password: string; readonly users: readonly ['fanout', 'limited'] };
  /** The same broker over TLS, without a login. */
  readonly tls?: { readonly url: string; readonly ca: string };
}

export interface MosquittoOptions {
  /** Writes its file at every change, not once a second: slow, and even so a little after it has acknowledged. */
  readonly durable?: boolean;
  /** Lines for the configuration of the whole broker. */
  readonly settings?: readonly string[];
}

export interface MosquittoBackend extends Started<MosquittoAddress> {
  readonly program: Program;
  /** What `limited` may publish to from now on, and nothing else. */
  allow(topics: readonly string[]): Promise<void>;
}

const PASSWORD = 'mqtt-password';
const USERS = ['fanout', 'limited'] as const;

function accessOf(topics: readonly string[]): string {
  const rules = topics.map((topic) => `topic readwrite ${topic}\n`).join('');
  return `user fanout\ntopic readwrite #\n\nuser limited\ntopic read #\n${rules}`;
}

export async function startMosquitto(options: MosquittoOptions = {}): Promise<MosquittoBackend> {
  await using scope = new AsyncDisposableStack();
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-mosquitto-'))).path;
  const { ca, certFile, keyFile } = await createCertificates(directory);
  const [plain, login, tls] = [await freePort(), await freePort(), await freePort()];
  const access = await writeAccess(directory);
  const lines = [
    'per_listener_settings true',
    // As another user it could not write here, and a change of user makes the kernel forget to end it with its parent.
    `user ${userInfo().username}`,
    'persistence true',
    `persistence_location ${directory}/`,
    'autosave_interval 1',
    `autosave_on_changes ${options.durable === true}`,
    'max_queued_messages 0',
    'log_dest stderr',
    ...(options.settings ?? []),
    `listener ${plain} 127.0.0.1`,
    'allow_anonymous true',
    `listener ${login} 127.0.0.1`,
    'allow_anonymous false',
    ...access,
    `listener ${tls} 127.0.0.1`,
    'allow_anonymous true',
    `certfile ${certFile}`,
    `keyfile ${keyFile}`,
  ];
  const file = join(directory, 'mosquitto.conf');
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
  const address: MosquittoAddress = {
    url: `mqtt://127.0.0.1:${plain}`,
    login: { url: `mqtt://127.0.0.1:${login}`, password: PASSWORD, users: USERS },
    tls: { url: `mqtts://127.0.0.1:${tls}`, ca },
  };
  const program = await Program.start({
    name: 'mosquitto',
    command: (await locate('mosquitto')) ?? 'mosquitto',
    args: ['-c', file],
    log: join(directory, 'mosquitto.log'),
    ready: () => mosquittoReady(address.url),
  });
  scope.use(program);
  const allow = async (topics: readonly string[]) => {
    await writeFile(join(directory, 'acl'), accessOf(topics));
    program.signal('SIGHUP');
  };
  return handOver(scope, { address, program, allow });
}

async function mosquittoReady(url: string): Promise<void> {
  const client = await connectAsync(url, { reconnectPeriod: 0, connectTimeout: 5_000 }, false);
  await client.endAsync();
}

async function writeAccess(directory: string): Promise<readonly string[]> {
  const [passwords, acl] = [join(directory, 'passwords'), join(directory, 'acl')];
  await writeFile(passwords, USERS.map((user) => `${user}:${PASSWORD}\n`).join(''));
  await writeFile(acl, accessOf(['allowed/#']));
  await command('mosquitto_passwd', ['-U', passwords]);
  for (const file of [passwords, acl]) await chmod(file, 0o600);
  return [`password_file ${passwords}`, `acl_file ${acl}`];
}
