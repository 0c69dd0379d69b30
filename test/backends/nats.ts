import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createCertificates } from './certificates.ts';
import { locate } from './machine.ts';
import { freePort, Program } from './process.ts';
import { handOver, type Started } from './source.ts';

/** nats-server with JetStream on files. A message holds at most its default of 1 MiB. */
export interface NatsAddress {
  /** Needs no login. */
  readonly url: string;
  /** Logins into the same account. `limited` may publish below `allowed.` only. */
  readonly login?: { readonly password: string; readonly users: readonly ['fanout', 'limited'] };
  /** Set when the server demands TLS. */
  readonly ca?: string;
}

export interface NatsOptions {
  /** Demand TLS of every client. */
  readonly tls?: boolean;
  /** Refuse who does not log in. */
  readonly loginRequired?: boolean;
  /** Lines for the configuration of the whole server. */
  readonly settings?: readonly string[];
}

export interface NatsBackend extends Started<NatsAddress> {
  readonly program: Program;
  /** What `limited` may publish to from now on, and nothing else. */
  allow(subjects: readonly string[]): Promise<void>;
}

const PASSWORD = 'nats-password';

export async function startNats(options: NatsOptions = {}): Promise<NatsBackend> {
  await using scope = new AsyncDisposableStack();
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-nats-'))).path;
  const port = await freePort();
  const certificates = options.tls === true ? await createCertificates(directory) : undefined;
  const lines = (allowed: readonly string[]) => [
    `listen: 127.0.0.1:${port}`,
    `jetstream { store_dir: "${join(directory, 'data')}" }`,
    'accounts { TEST {',
    '  jetstream: enabled',
    '  users: [',
    `    { user: anonymous, password: "${PASSWORD}" }`,
    `    { user: fanout, password: "${PASSWORD}" }`,
    `    { user: limited, password: "${PASSWORD}", permissions: ${permissions(allowed)} }`,
    '  ]',
    '} }',
    ...(options.loginRequired === true ? [] : ['no_auth_user: anonymous']),
    ...(certificates ? [`tls { cert_file: "${certificates.certFile}", key_file: "${certificates.keyFile}" }`] : []),
    ...(options.settings ?? []),
  ];
  const file = join(directory, 'nats.conf');
  const write = (allowed: readonly string[]) =>
    writeFile(
      file,
      lines(allowed)
        .map((line) => `${line}\n`)
        .join(''),
    );
  await write(['allowed.>']);
  const address: NatsAddress = {
    url: `nats://127.0.0.1:${port}`,
    login: { password: PASSWORD, users: ['fanout', 'limited'] },
    ...(certificates && { ca: certificates.ca }),
  };
  const program = await Program.start({
    name: 'nats-server',
    command: (await locate('nats-server')) ?? 'nats-server',
    args: ['-c', file],
    log: join(directory, 'nats-server.log'),
    ready: () => natsReady(address),
  });
  scope.use(program);
  const allow = async (subjects: readonly string[]) => {
    await write(subjects);
    program.signal('SIGHUP');
  };
  return handOver(scope, { address, program, allow });
}

function permissions(subjects: readonly string[]): string {
  return `{ publish: ${JSON.stringify([...subjects, '$JS.API.>', '_INBOX.>'])} }`;
}

/** JetStream answers, which it does some time after the server takes connections. */
export async function natsReady({ url, login, ca }: NatsAddress): Promise<void> {
  const connection = await connect({
    servers: url,
    reconnect: false,
    ...(login && { user: login.users[0], pass: login.password }),
    ...(ca && { tls: { ca } }),
  });
  try {
    await jetstreamManager(connection);
  } finally {
    await connection.close();
  }
}
